using System.Globalization;
using System.Text;
using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Stability.Hosts;

/// <summary>
/// VSTest's names of a test: a full name, by which it is selected, and a name for people, by which results come; together they are one.
/// </summary>
internal static class VsTestNames
{
    /// <summary>Two lists of the same tests in the same order; a full name that several rows share stands in the second once.</summary>
    public static IReadOnlyList<TestCase> Join(IReadOnlyList<string> names, IReadOnlyList<string> fullNames)
    {
        var tests = new List<TestCase>();
        var at = 0;
        for (var i = 0; i < names.Count; i++)
        {
            var name = names[i];
            if (i > 0 && at + 1 < fullNames.Count && !StaysWith(name, names.Count - i, fullNames, at))
                at++;
            var full = fullNames.Count > 0 ? fullNames[at] : name;
            var type = ClassOf(full);
            var method = MethodOf(full);
            tests.Add(new(tests.Count, Id(type, name), name.StartsWith(type, StringComparison.Ordinal) ? name : $"{type}.{name}", type,
                method)
            {
                Collection = type,
                VsTestName = full,
            });
        }
        return tests;
    }

    /// <summary>What a list and a result file have in common of a test: the file writes what XML cannot hold as <c>\\u001b</c>.</summary>
    public static string Id(string type, string name)
    {
        var id = new StringBuilder(type).Append('|');
        foreach (var letter in name)
        {
            if (letter is '\t' or '\n' or '\r' or (>= ' ' and < '\ud800') or (>= '\ue000' and <= '\ufffd'))
                id.Append(letter);
            else
                id.Append(CultureInfo.InvariantCulture, $"\\u{(int)letter:x4}");
        }
        return id.ToString();
    }

    /// <summary>The class of a full name, whose arguments may hold dots of their own.</summary>
    public static string ClassOf(string fullName)
    {
        var plain = fullName.Split('(')[0];
        return plain.LastIndexOf('.') is var dot and > 0 ? plain[..dot] : "";
    }

    private static string MethodOf(string fullName)
    {
        var plain = fullName.Split('(')[0];
        return plain[(plain.LastIndexOf('.') + 1)..];
    }

    // A further row of the same theory: its name begins like its method's, and the next full name's does not.
    private static bool StaysWith(string name, int left, IReadOnlyList<string> fullNames, int at)
    {
        if (left > fullNames.Count - at - 1 && !Resembles(name, fullNames[at + 1]))
            return true;
        return Resembles(name, fullNames[at]) && !Resembles(name, fullNames[at + 1]);
    }

    private static bool Resembles(string name, string fullName)
    {
        var plain = name.Split('(')[0].TrimEnd();
        return plain == fullName.Split('(')[0] || plain == MethodOf(fullName) || name == fullName;
    }
}
