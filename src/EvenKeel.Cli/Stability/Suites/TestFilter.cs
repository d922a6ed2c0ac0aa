using System.Text.RegularExpressions;

namespace EvenKeel.Cli.Stability.Suites;

/// <summary>
/// A test filter is an expression as <c>dotnet test --filter</c> takes it (<c>FullyQualifiedName~Orders&amp;Category!=Slow</c>), the same
/// for
/// every framework; a text without an operator is a part of the name, with <c>*</c> for anything.
/// </summary>
internal sealed class TestFilter
{
    private readonly string _text;
    private int _at;

    private TestFilter(string text) => _text = text;

    public static Func<TestCase, bool> Parse(string? expression)
    {
        if (string.IsNullOrWhiteSpace(expression))
            return _ => true;
        if (expression.IndexOfAny(['=', '~']) < 0)
            return PartOfName(expression.Trim());
        var filter = new TestFilter(expression);
        var parsed = filter.Or();
        filter.SkipSpace();
        return filter._at == expression.Length
            ? parsed
            : throw new FormatException($"--filter is '{expression}': '{expression[filter._at..]}' is not understood at {filter._at}; "
                + "write PROPERTY=VALUE, !=, ~ or !~, joined by & and |.");
    }

    private static Func<TestCase, bool> PartOfName(string text)
    {
        var pattern = new Regex(Regex.Escape(text).Replace("\\*", ".*", StringComparison.Ordinal), RegexOptions.CultureInvariant);
        return test => pattern.IsMatch(test.Name) || pattern.IsMatch(test.FullName);
    }

    private Func<TestCase, bool> Or()
    {
        var left = And();
        while (Take('|'))
        {
            var (first, second) = (left, And());
            left = test => first(test) || second(test);
        }
        return left;
    }

    private Func<TestCase, bool> And()
    {
        var left = Term();
        while (Take('&'))
        {
            var (first, second) = (left, Term());
            left = test => first(test) && second(test);
        }
        return left;
    }

    private Func<TestCase, bool> Term()
    {
        if (Take('('))
        {
            var inner = Or();
            return Take(')') ? inner : throw new FormatException($"--filter is '{_text}': a ')' is missing.");
        }
        var term = Regex.Match(_text[_at..], @"^\s*([\w.]+)\s*(!=|!~|=|~)\s*([^&|()]+)");
        if (!term.Success)
            throw new FormatException($"--filter is '{_text}': PROPERTY=VALUE is expected at {_at}.");
        _at += term.Length;
        var (property, comparison, value) = (term.Groups[1].Value, term.Groups[2].Value, term.Groups[3].Value.Trim());
        var contains = comparison.EndsWith('~');
        bool Matches(TestCase test) => Values(test, property).Any(found => contains
            ? found.Contains(value, StringComparison.OrdinalIgnoreCase)
            : found.Equals(value, StringComparison.OrdinalIgnoreCase));
        return comparison[0] == '!' ? test => !Matches(test) : Matches;
    }

    private static IEnumerable<string> Values(TestCase test, string property) => property.ToUpperInvariant() switch
    {
        "FULLYQUALIFIEDNAME" => [test.FullName],
        "DISPLAYNAME" => [test.Name],
        "NAME" => [test.Method, test.Name],
        "CLASSNAME" or "CLASS" => [test.Class],
        "NAMESPACE" => [test.Namespace],
        _ => test.Traits.Where(trait => trait.Key.Equals(property, StringComparison.OrdinalIgnoreCase)).SelectMany(trait => trait.Value),
    };

    private bool Take(char wanted)
    {
        SkipSpace();
        if (_at >= _text.Length || _text[_at] != wanted)
            return false;
        _at++;
        return true;
    }

    private void SkipSpace()
    {
        while (_at < _text.Length && char.IsWhiteSpace(_text[_at]))
            _at++;
    }
}
