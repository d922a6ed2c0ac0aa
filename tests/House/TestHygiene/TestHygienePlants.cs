namespace House.TestHygiene;

/// <summary>Tests named and skipped badly, and well.</summary>
internal static class TestHygienePlants
{
    public static IReadOnlyList<Plant> All { get; } =
    [
        Plant.Guilty("test-names", "one word", 3, ("tests/A.cs", "class A\n{\n    [Fact]\n    public void Works() { }\n}")),
        Plant.Guilty("test-names", "two words", 1, ("tests/A.cs", "class A { [Theory, InlineData(1)] public void TestAppend(int a) { } }")),
        Plant.Innocent("test-names", "sentences, and no test", (
            "tests/A.cs", "class A { [Fact] void A_torn_tail_is_cut() { } [Theory] void CutsTornTail() { } void Open() { } }")),

        Plant.Guilty("skip-reasons", "an empty reason", 1, ("tests/A.cs", "class A { [Fact(Skip = \"\")] void M() { } }")),
        Plant.Guilty("skip-reasons", "one word", 1, ("tests/A.cs", "class A { [Theory(Skip = \"flaky\")] void M() { } }")),
        Plant.Guilty("skip-reasons", "at run time", 1, ("tests/A.cs", "class A { void M() { Assert.SkipWhen(true, \"no\"); } }")),
        Plant.Innocent("skip-reasons", "reasons", (
            "tests/A.cs", "class A { [Fact(Skip = \"needs a real broker\")] void M() { Assert.SkipUnless(x, \"set EVENKEEL_POSTGRES to "
                + "run it\"); } }")),
    ];
}
