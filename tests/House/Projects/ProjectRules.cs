using System.Text.RegularExpressions;

namespace House.Projects;

/// <summary>The house as a graph: which projects there are, and which may refer to which.</summary>
internal static partial class ProjectRules
{
    private static readonly Dictionary<string, string[]> Arrows = new()
    {
        ["librdkafka.redist"] = [],
        ["EvenKeel.Queue"] = [],
        ["EvenKeel.Kafka"] = ["EvenKeel.Queue", "librdkafka.redist"],
        ["EvenKeel.Kafka.PostgreSql"] = ["EvenKeel.Kafka"],
        ["EvenKeel.Testing"] = ["EvenKeel.Kafka"],
        ["EvenKeel.Testing.XunitV3"] = ["EvenKeel.Testing"],
        ["EvenKeel.Testing.PostgreSql"] = ["EvenKeel.Testing"],
        ["EvenKeel.Testing.AspNetCore"] = ["EvenKeel.Testing"],
        ["EvenKeel.Analyzers"] = [],
        ["EvenKeel.Hook"] = [],
        ["EvenKeel.Cli"] = ["EvenKeel.Testing", "EvenKeel.Analyzers", "EvenKeel.Hook"],
        ["MetricStream"] = ["EvenKeel.Queue", "EvenKeel.Kafka"],
    };

    // What is outside src and native may look inwards, and tests at everything that users are shown.
    private static readonly Dictionary<string, string[]> WingArrows = new()
    {
        ["tests"] = ["src", "native", "tests", "samples"],
        ["bench"] = ["src", "native", "samples"],
        ["samples"] = ["src", "native", "samples"],
    };

    public static IReadOnlyList<Rule> All { get; } =
    [
        new("project-arrows",
            "keep the arrows Queue <- {Kafka, MetricStream}, Kafka <- {MetricStream, Testing, Kafka.PostgreSql}, Testing <- "
            + "{Testing.*}, {Testing, Analyzers} <- Cli; a new arrow or project is a decision about the house and goes into "
                + "ProjectRules.Arrows.", WrongArrows),
        new("queue-bcl-only", "EvenKeel.Queue stands on the base class library alone: whoever installs it inherits nothing.",
            QueuePackages),
        new("shared-corners", "give the code to the project whose noun it is; a folder becomes a project when somebody installs it alone.",
            SharedCorners),
        new("solution-is-whole", "add it to EvenKeel.slnx: what is not in it is not built, formatted or tested.", OutsideTheSolution),
        new("tests-for-each-project", "create tests/<project>.Tests/<project>.Tests.csproj, folders mirrored.", WithoutTests),
        new("documented-libraries",
            "let a packed library keep the settings of Directory.Build.props: CS1591 makes every public member documented.", Undocumented),
    ];

    private static IEnumerable<Violation> WrongArrows(Repository repository)
    {
        foreach (var project in repository.Projects)
        {
            var inside = project.Wing is "src" or "native";
            if (inside && !Arrows.ContainsKey(project.Name))
            {
                yield return new(project.Path, 1, project.Name, $"the house knows no project {project.Name}");
                continue;
            }

            foreach (var (target, line) in project.References)
            {
                var name = Path.GetFileNameWithoutExtension(target);
                var allowed = inside
                    ? Arrows[project.Name].Contains(name) && target.Split('/')[0] is "src" or "native"
                    : WingArrows.GetValueOrDefault(project.Wing, []).Contains(target.Split('/')[0]);
                if (!allowed)
                {
                    yield return new(project.Path, line, name, $"{project.Name} may not refer to {target}");
                }
                else if (!repository.HasFile(target))
                {
                    yield return new(project.Path, line, name, $"{target} does not exist");
                }
            }
        }
    }

    private static IEnumerable<Violation> QueuePackages(Repository repository) =>
        from project in repository.Projects
        where project.Name == "EvenKeel.Queue"
        from package in project.Packages
        select new Violation(project.Path, package.Line, package.Package, $"a reference to the package {package.Package}");

    private static IEnumerable<Violation> SharedCorners(Repository repository) =>
        from project in repository.Projects
        let word = project.Name.Split('.').FirstOrDefault(part => part is "Core" or "Common" or "Shared" or "Abstractions")
        where word is not null
        select new Violation(project.Path, 1, project.Name, $"a project named {word}");

    private static IEnumerable<Violation> OutsideTheSolution(Repository repository)
    {
        var solution = repository.HasFile("EvenKeel.slnx") ? repository["EvenKeel.slnx"] : "";
        var listed = SolutionProject().Matches(solution).Select(match => match.Groups[1].Value.Replace('\\', '/')).ToHashSet();
        return repository.Projects
            .Where(project => !listed.Contains(project.Path))
            .Select(project => new Violation(project.Path, 1, project.Name, "not in EvenKeel.slnx"));
    }

    private static IEnumerable<Violation> WithoutTests(Repository repository) =>
        repository.Projects
            .Where(project => project.Wing == "src" && !repository.HasFile($"tests/{project.Name}.Tests/{project.Name}.Tests.csproj"))
            .Select(project => new Violation(project.Path, 1, project.Name, $"no tests/{project.Name}.Tests"));

    private static IEnumerable<Violation> Undocumented(Repository repository)
    {
        var libraries = repository.Projects.Where(project => project.IsPackedLibrary).ToList();
        foreach (var library in libraries)
        {
            foreach (var setting in new[] { "NoWarn", "GenerateDocumentationFile", "TreatWarningsAsErrors", "Nullable",
                "WarningsNotAsErrors" })
            {
                if (library.Properties.TryGetValue(setting, out var value) && !IsHarmless(setting, value))
                {
                    yield return new(library.Path, 1, library.Name,
                        $"<{setting}>{value}</{setting}> lifts a check that packed libraries keep");
                }
            }
        }

        if (libraries.Count > 0)
        {
            foreach (var setting in new[] { "<GenerateDocumentationFile>true<", "<TreatWarningsAsErrors>true<", "<Nullable>enable<" })
            {
                if (!repository.HasFile("Directory.Build.props")
                    || !repository["Directory.Build.props"].Contains(setting, StringComparison.Ordinal))
                {
                    yield return new("Directory.Build.props", 1, "", $"{setting.TrimEnd('<')} is missing");
                }
            }
        }
    }

    private static bool IsHarmless(string setting, string value) => setting switch
    {
        "NoWarn" or "WarningsNotAsErrors" => !value.Contains("1591", StringComparison.Ordinal),
        "Nullable" => value == "enable",
        _ => value == "true",
    };

    [GeneratedRegex("Project Path=\"([^\"]+)\"")]
    private static partial Regex SolutionProject();
}
