using System.Diagnostics.Metrics;

namespace EvenKeel.Kafka.Telemetry;

/// <summary>librdkafka's statistics as instruments; the values are those of the last interval that it was asked for.</summary>
internal static class StatisticsInstruments
{
    private const double MicrosecondsPerSecond = 1_000_000;

    public static void Create(Meter meter, Func<IEnumerable<(string Client, ClientStatistics? Statistics)>> clients)
    {
        meter.CreateObservableGauge(
            "evenkeel.kafka.client.messages", () => Each(clients, statistics => statistics.Messages), "{message}",
            "Messages in librdkafka's queues and in flight.");
        meter.CreateObservableGauge(
            "evenkeel.kafka.client.messages.size", () => Each(clients, statistics => statistics.MessageBytes), "By", "Their bytes.");
        meter.CreateObservableGauge(
            "evenkeel.kafka.statistics.omitted", () => Each(clients, statistics => statistics.Omitted), "{item}",
            $"Brokers beyond {ClientStatistics.MaxBrokers} and partitions beyond {ClientStatistics.MaxPartitions}, not measured.");

        meter.CreateObservableGauge("evenkeel.kafka.broker.rtt", () => RoundTrips(clients), "s", "From a request to its answer.");
        Gauge("evenkeel.kafka.broker.up", "1", "Whether there is a connection.", broker => broker.IsUp ? 1 : 0);
        Gauge("evenkeel.kafka.broker.requests.queued", "{request}", "Requests not yet sent.", broker => broker.Queued);
        Gauge("evenkeel.kafka.broker.requests.in_flight", "{request}", "Requests without an answer.", broker => broker.InFlight);
        Count("evenkeel.kafka.broker.requests.retried", "{request}", "Requests sent again.", broker => broker.Retries);
        Count("evenkeel.kafka.broker.requests.timed_out", "{request}", "Requests without an answer in time.", broker => broker.TimedOut);
        Count("evenkeel.kafka.broker.errors", "{error}", "Errors of sending and receiving.", broker => broker.Errors);
        Count("evenkeel.kafka.broker.disconnects", "{connection}", "Connections lost.", broker => broker.Disconnects);
        Count("evenkeel.kafka.broker.sent", "By", "Bytes sent.", broker => broker.BytesSent);
        Count("evenkeel.kafka.broker.received", "By", "Bytes received.", broker => broker.BytesReceived);

        PartitionGauge("evenkeel.kafka.partition.queued", "{message}", "Messages that wait to be sent.", partition => partition.Queued);
        PartitionGauge("evenkeel.kafka.partition.in_flight", "{message}", "Messages without an answer.", partition => partition.InFlight);
        PartitionGauge("evenkeel.kafka.partition.lag", "{message}", "Records behind the end.", partition => partition.Lag);

        void Gauge(string name, string unit, string description, Func<BrokerStatistics, long> read) =>
            meter.CreateObservableGauge(name, () => Brokers(clients, read), unit, description);

        void Count(string name, string unit, string description, Func<BrokerStatistics, long> read) =>
            meter.CreateObservableCounter(name, () => Brokers(clients, read), unit, description);

        void PartitionGauge(string name, string unit, string description, Func<PartitionStatistics, long> read) =>
            meter.CreateObservableGauge(name, () => Partitions(clients, read), unit, description);
    }

    private static IEnumerable<(string Client, ClientStatistics Statistics)> Known(
        Func<IEnumerable<(string Client, ClientStatistics? Statistics)>> clients) =>
        clients().Where(client => client.Statistics is not null).Select(client => (client.Client, client.Statistics!));

    private static IEnumerable<Measurement<long>> Each(
        Func<IEnumerable<(string, ClientStatistics?)>> clients, Func<ClientStatistics, long> read) =>
        Known(clients).Select(client => new Measurement<long>(read(client.Statistics), Tag(KafkaTelemetry.ClientTag, client.Client)));

    private static IEnumerable<Measurement<long>> Brokers(
        Func<IEnumerable<(string, ClientStatistics?)>> clients, Func<BrokerStatistics, long> read) =>
        from client in Known(clients)
        from broker in client.Statistics.Brokers
        select new Measurement<long>(read(broker), Tags(client.Client, broker));

    private static IEnumerable<Measurement<double>> RoundTrips(Func<IEnumerable<(string, ClientStatistics?)>> clients) =>
        from client in Known(clients)
        from broker in client.Statistics.Brokers
        where broker.RoundTrips > 0
        from value in new[] { (Name: "mean", Us: broker.RoundTripMeanUs), (Name: "p99", Us: broker.RoundTripP99Us) }
        select new Measurement<double>(value.Us / MicrosecondsPerSecond, [.. Tags(client.Client, broker), Tag("statistic", value.Name)]);

    // What is not known, a lag before the first answer or of a producer, is no measurement.
    private static IEnumerable<Measurement<long>> Partitions(
        Func<IEnumerable<(string, ClientStatistics?)>> clients, Func<PartitionStatistics, long> read) =>
        from client in Known(clients)
        from partition in client.Statistics.Partitions
        let value = read(partition)
        where value >= 0
        select new Measurement<long>(
            value, Tag(KafkaTelemetry.ClientTag, client.Client), Tag(KafkaTelemetry.DestinationTag, partition.Topic),
            Tag(KafkaTelemetry.PartitionTag, partition.Partition.ToString(System.Globalization.CultureInfo.InvariantCulture)));

    private static KeyValuePair<string, object?>[] Tags(string client, in BrokerStatistics broker) =>
        [Tag(KafkaTelemetry.ClientTag, client), Tag(KafkaTelemetry.ServerTag, broker.Host), Tag(KafkaTelemetry.PortTag, broker.Port)];

    private static KeyValuePair<string, object?> Tag(string name, object? value) => new(name, value);
}
