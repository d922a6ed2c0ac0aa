using System.Globalization;
using ConsumerBench;

// A group of one member reads a topic from its beginning, several rounds in turn; medians and ratios count.
//   dotnet run -c Release --project bench/ConsumerBench [-- --rounds N] [--bootstrap-servers HOST:PORT]
// Ours with one lane against a bare loop over Confluent.Kafka's Consume, 100-byte values, both with fetch.wait.max.ms=1; then eight lanes
// against one with a handler that takes a millisecond. The broker is an embedded one in this process, or the one that is named.
var rounds = 5;
string? bootstrapServers = null;
for (var i = 0; i + 1 < args.Length; i += 2)
{
    if (args[i] == "--rounds" && int.TryParse(args[i + 1], CultureInfo.InvariantCulture, out var number))
        rounds = number;
    else if (args[i] == "--bootstrap-servers")
        bootstrapServers = args[i + 1];
    else
        return Usage();
}
if (args.Length % 2 != 0 || rounds < 1)
    return Usage();
await using var topic = await BenchTopic.FillAsync(bootstrapServers);
Console.WriteLine($"{BenchTopic.Records} records of 100 bytes, {BenchTopic.Partitions} partitions, {(bootstrapServers is null ? "embedded broker" : bootstrapServers)}");
var reads = new Reads(topic);
var (confluent, ours) = (new List<Measured>(), new List<Measured>());
for (var round = 0; round < rounds; round++)
{
    confluent.Add(reads.Confluent());
    ours.Add(await reads.OursAsync(lanes: 1, BenchTopic.Records, busy: false));
}
Console.WriteLine($"Confluent.Kafka, Consume loop: {Measured.Median(confluent)}");
Console.WriteLine($"ReliableConsumer, one lane:    {Measured.Median(ours)}");
Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture, $"ratio: {Measured.Median(ours).RecordsASecond / Measured.Median(confluent).RecordsASecond:0.00}"));
var one = await reads.OursAsync(lanes: 1, 2_000, busy: true);
var eight = await reads.OursAsync(lanes: 8, 10_000, busy: true);
Console.WriteLine($"a handler of 1 ms, one lane:   {one}");
Console.WriteLine($"a handler of 1 ms, 8 lanes:    {eight}");
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"ratio: {eight.RecordsASecond / one.RecordsASecond:0.00}"));
return 0;

static int Usage()
{
    Console.Error.WriteLine("usage: ConsumerBench [--rounds N] [--bootstrap-servers HOST:PORT]");
    return 2;
}
