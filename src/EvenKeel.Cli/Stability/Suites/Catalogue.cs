namespace EvenKeel.Cli.Stability.Suites;

/// <summary>The catalogue is the expected set of one test assembly, in its natural order: every result is looked up here.</summary>
internal sealed class Catalogue
{
    private readonly Dictionary<string, int> _byId = new(StringComparer.Ordinal);

    public Catalogue(IReadOnlyList<TestCase> tests)
    {
        Tests = tests;
        foreach (var test in tests)
            _byId.TryAdd(test.Id, test.Index);
    }

    public IReadOnlyList<TestCase> Tests { get; }

    public int Count => Tests.Count;

    public TestCase this[int index] => Tests[index];

    public int Find(string id) => _byId.GetValueOrDefault(id, -1);

    /// <summary>
    /// Names are told apart: the second of two tests with one name gets a number. What shares its id as well cannot be told apart in
    /// results, and is one test that has to report so many times.
    /// </summary>
    public static Catalogue Of(IEnumerable<TestCase> discovered)
    {
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        var tests = new List<TestCase>();
        foreach (var same in discovered.GroupBy(test => test.Id, StringComparer.Ordinal))
        {
            var test = same.First() with { Times = same.Count() };
            var times = seen[test.Name] = seen.GetValueOrDefault(test.Name) + 1;
            tests.Add(test with { Index = tests.Count, Name = times == 1 ? test.Name : $"{test.Name} (#{times})" });
        }
        return new(tests);
    }
}
