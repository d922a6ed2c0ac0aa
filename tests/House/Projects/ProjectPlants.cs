namespace House.Projects;

/// <summary>Small houses with one wall in the wrong place.</summary>
internal static class ProjectPlants
{
    private const string Settings =
        "<GenerateDocumentationFile>true</GenerateDocumentationFile>"
        + "<TreatWarningsAsErrors>true</TreatWarningsAsErrors><Nullable>enable</Nullable>";

    private static readonly (string, string) Queue = Project("src/EvenKeel.Queue");

    public static IReadOnlyList<Plant> All { get; } =
    [
        Plant.Guilty("project-arrows", "backwards", 2, Project("src/MetricStream"),
            Project("src/EvenKeel.Queue", Reference("src/MetricStream"))),
        Plant.Guilty("project-arrows", "a library refers to tests", 2, Project("tests/X"),
            Project("src/MetricStream", Reference("tests/X"))),
        Plant.Guilty("project-arrows", "bench refers to tests", 2, Project("tests/X"), Project("bench/B", Reference("tests/X"))),
        Plant.Guilty("project-arrows", "to nowhere", 2, Project("src/EvenKeel.Kafka", Reference("src/EvenKeel.Queue"))),
        Plant.Guilty("project-arrows", "an unknown project", 1, Project("src/EvenKeel.Cache")),
        Plant.Innocent("project-arrows", "inwards", Queue, Project("src/MetricStream", Reference("src/EvenKeel.Queue")),
            Project("tests/X", Reference("src/EvenKeel.Queue"))),

        Plant.Guilty("queue-bcl-only", "a package", 2, Project("src/EvenKeel.Queue", "<PackageReference Include=\"Polly.Core\" />")),
        Plant.Innocent("queue-bcl-only", "a package elsewhere", Queue,
            Project("src/MetricStream", "<PackageReference Include=\"Polly.Core\" />")),

        Plant.Guilty("shared-corners", "core", 1, Project("src/EvenKeel.Core")),
        Plant.Innocent("shared-corners", "AspNetCore is a name", Project("src/EvenKeel.Testing.AspNetCore")),

        Plant.Guilty("solution-is-whole", "forgotten", 1, Queue, ("EvenKeel.slnx", "<Solution />")),
        Plant.Innocent("solution-is-whole", "listed, and a fixture", Queue, Project("tests/Fixtures/Flaky"), (
            "EvenKeel.slnx", "<Solution><Project Path=\"src/EvenKeel.Queue/EvenKeel.Queue.csproj\" /></Solution>")),

        Plant.Guilty("tests-for-each-project", "none", 1, Queue, Project("tests/Queue.Tests")),
        Plant.Innocent("tests-for-each-project", "tested", Queue, Project("tests/EvenKeel.Queue.Tests")),

        Plant.Guilty("documented-libraries", "CS1591 silenced", 1, ("Directory.Build.props", Settings),
            Packed("<NoWarn>$(NoWarn);CS1591</NoWarn>")),
        Plant.Guilty("documented-libraries", "no documentation file", 1, ("Directory.Build.props", Settings), Packed(
            "<GenerateDocumentationFile>false</GenerateDocumentationFile>")),
        Plant.Guilty("documented-libraries", "a setting gone from the props", 1, Packed(""), (
            "Directory.Build.props", Settings.Replace("<Nullable>enable</Nullable>", "", StringComparison.Ordinal))),
        Plant.Innocent("documented-libraries", "all on", ("Directory.Build.props", Settings), Packed("<NoWarn>$(NoWarn);CA1000</NoWarn>")),
    ];

    private static (string Path, string Text) Project(string folder, string item = "") =>
        ($"{folder}/{folder.Split('/')[^1]}.csproj", $"<Project><ItemGroup>\n{item}</ItemGroup></Project>");

    private static string Reference(string folder) => $"<ProjectReference Include=\"../../{Project(folder).Path}\" />";

    private static (string Path, string Text) Packed(string settings) =>
        ("src/EvenKeel.Queue/EvenKeel.Queue.csproj",
            $"<Project><PropertyGroup><IsPackable>true</IsPackable>{settings}</PropertyGroup></Project>");
}
