namespace House.Types;

/// <summary>Interfaces with none, one and two sides; classes open and sealed.</summary>
internal static class TypePlants
{
    public static IReadOnlyList<Plant> All { get; } =
    [
        Plant.Guilty("two-implementations", "none", 1, ("src/A.cs", "interface IClock;")),
        Plant.Guilty("two-implementations", "one, and its own derived interface", 1,
            ("src/A.cs", "interface IClock;\nclass Real : IClock; ")),
        new("two-implementations", "a derived interface is no implementation",
            [("src/A.cs", "interface IClock;\ninterface IFastClock : IClock;\nclass Real : IFastClock;")], [1, 2]),
        Plant.Innocent("two-implementations", "one real, one simulated in tests", (
            "src/A.cs", "interface IClock<T>;\nclass Real : IClock<int>;"),
                ("tests/B.cs", "sealed record Simulated : Base, A.IClock<int>;")),

        Plant.Guilty("sealed-classes", "a class", 1, ("src/A.cs", "public class A;")),
        Plant.Guilty("sealed-classes", "a record", 1, ("src/A.cs", "public record A(int B);")),
        Plant.Guilty("sealed-classes", "an abstract class", 1, ("src/A.cs", "public abstract class A;")),
        Plant.Innocent("sealed-classes", "sealed, static, internal, a struct", (
            "src/A.cs", "public sealed class A; public static class B; internal class C; public readonly record struct D(int E); public "
                + "struct F;")),
        Plant.Guilty("sealed-classes", "an abstract class that users can construct", 1, (
            "src/A.cs", "public abstract class A { private protected A() { } protected A(int b) { } }")),
        Plant.Innocent("sealed-classes", "an abstract class with no constructor for users", (
            "src/A.cs", "public abstract class A { private protected A() { } }")),
        Plant.Innocent("sealed-classes", "a sealed part", ("src/A.cs", "namespace N; public sealed partial class A;"), (
            "src/A.Part.cs", "namespace N; public partial class A;")),
    ];
}
