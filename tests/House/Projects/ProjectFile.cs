using System.Xml;
using System.Xml.Linq;

namespace House;

/// <summary>A project file is a .csproj: its properties, and the projects and packages it refers to, each with its line.</summary>
internal sealed record ProjectFile(
    string Path,
    IReadOnlyDictionary<string, string> Properties,
    IReadOnlyList<(string Target, int Line)> References,
    IReadOnlyList<(string Package, int Line)> Packages)
{
    public string Name => System.IO.Path.GetFileNameWithoutExtension(Path);

    /// <summary>src, tests, native, bench or samples.</summary>
    public string Wing => Path.Split('/')[0];

    /// <summary>Whether others install it as a library: a packed tool is a process, nobody compiles against it.</summary>
    public bool IsPackedLibrary => Wing == "src" && Is("IsPackable") && !Is("PackAsTool");

    public static ProjectFile Parse(string path, string text)
    {
        var xml = XDocument.Parse(text, LoadOptions.SetLineInfo);
        var properties = xml.Descendants("PropertyGroup").Elements()
            .GroupBy(property => property.Name.LocalName)
            .ToDictionary(group => group.Key, group => group.Last().Value);
        return new(
            path,
            properties,
            [.. Includes(xml, "ProjectReference").Select(found => (Resolve(path, found.Value), found.Line))],
            [.. Includes(xml, "PackageReference")]);
    }

    /// <summary>The path from the root of what a file at <paramref name="from"/> calls <paramref name="relative"/>.</summary>
    public static string Resolve(string from, string relative)
    {
        var parts = new List<string>(from.Split('/')[..^1]);
        foreach (var part in relative.Replace('\\', '/').Split('/'))
        {
            if (part == ".." && parts.Count > 0 && parts[^1] != "..")
            {
                parts.RemoveAt(parts.Count - 1);
            }
            else if (part is not ("." or ""))
            {
                parts.Add(part);
            }
        }

        return string.Join('/', parts);
    }

    private static IEnumerable<(string Value, int Line)> Includes(XDocument xml, string element) =>
        xml.Descendants(element)
            .Where(item => item.Attribute("Include") is not null)
            .Select(item => (item.Attribute("Include")!.Value, ((IXmlLineInfo)item).LineNumber));

    private bool Is(string property) => Properties.TryGetValue(property, out var value) && value == "true";
}
