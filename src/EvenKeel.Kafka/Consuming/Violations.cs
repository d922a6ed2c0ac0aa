using System.Globalization;

namespace EvenKeel.Kafka.Consuming;

/// <summary>The violations of options, collected so that all are told at once.</summary>
internal sealed class Violations
{
    private readonly List<string> _all = [];

    public IReadOnlyList<string> All => _all;

    public void Add(string violation) => _all.Add(violation);

    public void Check(bool holds, string name, object value, string allowed)
    {
        if (!holds)
            _all.Add(string.Create(CultureInfo.InvariantCulture, $"{name} is {value}: it can be {allowed}."));
    }
}
