namespace OrderTests;

/// <summary>The timeouts of the consumers: librdkafka's own.</summary>
internal static class Timeouts
{
    public static Dictionary<string, string> OfConsumers => [];
}
