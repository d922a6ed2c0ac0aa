namespace House.Names;

/// <summary>Names with a banned word at each end, and names that only contain its letters.</summary>
internal static class NamePlants
{
    public static IReadOnlyList<Plant> All { get; } =
    [
        Plant.Guilty("type-names", "at the end", 2, ("src/A.cs", "\nclass QueueManager;")),
        Plant.Guilty("type-names", "at the start", 1, ("src/A.cs", "record BaseReader;")),
        Plant.Guilty("type-names", "plural", 1, ("src/A.cs", "static class StringUtils;")),
        Plant.Guilty("type-names", "after an acronym", 1, ("src/A.cs", "interface IHTTPService;")),
        Plant.Guilty("type-names", "an enum in a class", 1, ("src/A.cs", "class A { enum DataKind; }")),
        Plant.Guilty("type-names", "a delegate", 1, ("src/A.cs", "delegate void CommonCallback();")),
        Plant.Innocent("type-names", "the letters within other words",
            ("src/A.cs", "class Database; class Baseline; class Utilisation; class Informant;")),

        Plant.Guilty("file-names", "a helper", 1, ("src/QueueHelpers.cs", "class Queue;")),
        Plant.Innocent("file-names", "a noun", ("src/Database.cs", "class Database;")),
    ];
}
