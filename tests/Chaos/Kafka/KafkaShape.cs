namespace Chaos.Kafka;

/// <summary>What goes wrong in a run with Kafka; any of them together.</summary>
[Flags]
internal enum Faults
{
    None = 0,

    /// <summary>A broker is killed and brought back every 20 s; of several, one at a time.</summary>
    Brokers = 1,

    /// <summary>The brokers are away for most of the run.</summary>
    Outage = 2,

    /// <summary>Each server is killed every 5 s, at random.</summary>
    Servers = 4,

    /// <summary>The database is killed and away for a minute, or a quarter of a short run.</summary>
    Database = 8,
}

/// <summary>A run of MetricStream with its queue in a real Kafka.</summary>
/// <param name="Faults">What goes wrong.</param>
/// <param name="Duration">For how long it is loaded.</param>
/// <param name="Rate">Batches a second, all servers together.</param>
/// <param name="Nodes">Brokers.</param>
/// <param name="Servers">Servers of the one group; several need PostgreSQL.</param>
/// <param name="IsPostgres">The store is a PostgreSQL server of the run's own; otherwise SQLite.</param>
internal sealed record KafkaShape(Faults Faults, TimeSpan Duration, double Rate, int Nodes, int Servers, bool IsPostgres)
{
    /// <summary>Every violation; empty when it can be run.</summary>
    public IEnumerable<string> Validate()
    {
        if (Servers > 1 && !IsPostgres)
            yield return $"--servers {Servers} share no SQLite file: add --store postgres.";
        if (Faults.HasFlag(Faults.Database) && !IsPostgres)
            yield return "--faults database needs --store postgres.";
        if (Faults.HasFlag(Faults.Outage) && Faults.HasFlag(Faults.Brokers))
            yield return "--faults outage has no broker left that brokers could kill: name one of the two.";
        if (Rate <= 0 || Nodes < 1 || Servers < 1 || Duration <= TimeSpan.Zero)
            yield return "--rate, --nodes, --servers and --minutes must be above 0.";
    }
}
