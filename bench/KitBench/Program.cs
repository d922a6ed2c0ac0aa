using KitBench;

// The 60 tests of samples/OrderTests as processes: 'compare' takes the times of the three versions, 'soak' runs the kit's version again
// and again and looks for what it left; 'kill' kills it somewhere on its way and lets the next run tidy up.
if (args is not ["compare" or "soak" or "kill", .. var rest])
{
    Console.Error.WriteLine(
        """
        KitBench compare [--runs 5] [--workers 1,2,4] [--versions Today,Tuned,Kit] [--brokers real,embedded]
        KitBench soak    [--rounds 200] [--workers 1,2,4] [--processes 2] [--noise 1] [--brokers real,embedded] [--minutes N] [--state FILE]
        KitBench kill    [--rounds 200] [--brokers real,embedded]

        All need EVENKEEL_POSTGRES; 'real' needs EVENKEEL_BOOTSTRAP_SERVERS, a Kafka with its own group.initial.rebalance.delay.ms of 3 s
        where the figures are to be those of users. 'soak' notes each round in FILE and goes on after the last one there.
        """);
    return 2;
}
if (BenchOptions.Read(rest) is not { } options)
    return 2;
return args[0] switch
{
    "compare" => await new CompareCommand(options).RunAsync(),
    "soak" => await new SoakCommand(options).RunAsync(),
    _ => await new KillCommand(options).RunAsync(),
};
