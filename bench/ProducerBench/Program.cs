using ProducerBench;

// Our sends against their peers on the same broker, in turn, several rounds; medians and ratios count.
//   dotnet run -c Release --project bench/ProducerBench [-- throughput | latency] [options]
// throughput: awaited sends from 1 and 16 threads, 10,000 outstanding in all, 200-byte values, against Confluent.Kafka (ProduceAsync, and
//   Produce with a shared handler, free and under one lock) and against bare loops over the same C functions.
// latency: one awaited send at a time, 1,000 a second, linger 0, against Confluent.Kafka's ProduceAsync.
// The broker is an embedded one in a process of its own, on the same processors, or the one named by --bootstrap-servers.
if (args is [BrokerProcess.Command, var topic])
    return await BrokerProcess.ServeAsync(topic);
if (BenchOptions.Parse(args, out var error) is not { } options)
{
    await Console.Error.WriteLineAsync($"{error}\n{BenchOptions.Usage}");
    return 2;
}
await using var broker = await BenchBroker.StartAsync(options);
Console.WriteLine(broker.Description);
if (options.IsLatency)
    await LatencyTable.RunAsync(options, broker);
else
    await ThroughputTable.RunAsync(options, broker);
return 0;
