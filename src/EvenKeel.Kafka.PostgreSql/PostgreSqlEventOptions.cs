using System.Text.RegularExpressions;

namespace EvenKeel.Kafka.PostgreSql;

/// <summary>How a <see cref="PostgreSqlEventRepository"/> keeps its events.</summary>
public sealed partial record PostgreSqlEventOptions
{
    /// <summary>The schema of its tables, made when absent. 1 to 48 of <c>a-z 0-9 _</c>, the first a letter. Default
    /// <c>evenkeel</c>.</summary>
    public string Schema { get; init; } = "evenkeel";

    /// <summary>
    /// How long an event belongs to whoever recorded or claimed it, by the server's clock, before a sweeper may take it up. Default 180 s:
    /// above the publisher's limit for an answer (150 s).
    /// </summary>
    public TimeSpan ClaimFor { get; init; } = TimeSpan.FromSeconds(180);

    /// <summary>
    /// How long an event recorded in a transaction of the caller is left to the caller, before a sweeper takes it up. Default 10 s: enough
    /// for a commit and a call. With zero the sweeper takes it as soon as it is committed, which suits those who leave it all to the
    /// sweeper.
    /// </summary>
    public TimeSpan FreshFor { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest one command may take. Default 10 s.</summary>
    public TimeSpan CommandLimit { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long delivered and spilled events are kept. Default 7 days: to see what was sent, and to send it again by
    /// hand.</summary>
    public TimeSpan KeepSettledFor { get; init; } = TimeSpan.FromDays(7);

    /// <summary>How long refused events are kept, with the reason. Default 90 days: somebody must look at them.</summary>
    public TimeSpan KeepRefusedFor { get; init; } = TimeSpan.FromDays(90);

    /// <summary>All violations, each with the setting, its value and the fix; empty when the options can be used.</summary>
    /// <returns>The violations.</returns>
    public IReadOnlyList<string> Validate()
    {
        var violations = new List<string>();
        if (Schema is null || !SchemaName().IsMatch(Schema))
            violations.Add($"Schema is '{Schema}': use 1 to 48 of a-z 0-9 _, the first a letter.");
        Check(nameof(ClaimFor), ClaimFor, TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(1));
        Check(nameof(FreshFor), FreshFor, TimeSpan.Zero, TimeSpan.FromDays(1));
        Check(nameof(CommandLimit), CommandLimit, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
        Check(nameof(KeepSettledFor), KeepSettledFor, TimeSpan.Zero, TimeSpan.FromDays(3650));
        Check(nameof(KeepRefusedFor), KeepRefusedFor, TimeSpan.Zero, TimeSpan.FromDays(3650));
        return violations;

        void Check(string name, TimeSpan value, TimeSpan least, TimeSpan most)
        {
            if (value < least || value > most)
                violations.Add($"{name} is {value}: use {least} to {most}.");
        }
    }

    [GeneratedRegex(@"\A[a-z][a-z0-9_]{0,47}\z")]
    private static partial Regex SchemaName();
}
