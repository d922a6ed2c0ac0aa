namespace OrderTests;

/// <summary>
/// The timeouts of the consumers: those that took a suite of the field from 70 s to 20-35 s. In librdkafka the network's timeout stands
/// for the request's.
/// </summary>
internal static class Timeouts
{
    public static Dictionary<string, string> OfConsumers => new()
    {
        ["session.timeout.ms"] = "6000",
        ["heartbeat.interval.ms"] = "2000",
        ["socket.timeout.ms"] = "5000",
    };
}
