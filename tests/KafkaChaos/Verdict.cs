using System.Globalization;

namespace KafkaChaos;

/// <summary>The verdict of one run: the numbers that were seen, and every rule that they break.</summary>
internal sealed class Verdict(string scenario, int seed, Action<string> print)
{
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly List<string> _violations = [];

    public int Seed => seed;

    public bool IsHeld
    {
        get
        {
            lock (_gate)
                return _violations.Count == 0;
        }
    }

    public IReadOnlyList<string> Violations
    {
        get
        {
            lock (_gate)
                return [.. _violations];
        }
    }

    public void Say(FormattableString line) => print($"{scenario}: {line.ToString(CultureInfo.InvariantCulture)}");

    public void Violated(FormattableString violation)
    {
        lock (_gate)
            _violations.Add(violation.ToString(CultureInfo.InvariantCulture));
        print($"{scenario}: VIOLATION {violation.ToString(CultureInfo.InvariantCulture)}");
    }

    public void Check(bool holds, FormattableString violation)
    {
        if (!holds)
            Violated(violation);
    }
}
