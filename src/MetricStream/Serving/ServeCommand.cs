using System.Collections;
using System.CommandLine;
using MetricStream.Admission;
using MetricStream.Kafka;

namespace MetricStream.Serving;

/// <summary><c>metricstream serve</c>: reads the settings from all their layers and runs the server.</summary>
internal static class ServeCommand
{
    /// <summary>Usage, configuration, or a start that its operator can mend.</summary>
    private const int ExitUsage = 2;

    public static Command Create()
    {
        Option[] options =
        [
            new Option<string>("--host")
            {
                Description = "Address to listen on (127.0.0.1). Any other than loopback needs --api-keys or --insecure.",
                HelpName = "ADDRESS",
            },
            new Option<string>("--port") { Description = "Port to listen on (8090); 0 takes a free one.", HelpName = "PORT" },
            new Option<bool?>("--insecure")
            {
                Description = "Let other machines in although no keys are asked for.",
                Arity = ArgumentArity.ZeroOrOne,
            },
            new Option<string>("--log-format") { Description = "The log's lines: text or json (text).", HelpName = "text|json" },
            .. AdmissionCommandLine.Options(),
            new Option<string>("--data") { Description = "Folder for queue and store (./metricstream-data).", HelpName = "DIR" },
            new Option<string>("--queue") { Description = "Where acknowledged batches go: file or kafka (file).", HelpName = "file|kafka" },
            .. KafkaCommandLine.Options(),
            new Option<string>("--ack")
            {
                Description = "What a 2xx means: durable, or enqueued, which is answered 202 and can be lost (durable).",
                HelpName = "durable|enqueued",
            },
            new Option<string>("--store")
            {
                Description = "The consumer's store: sqlite, postgres or none (sqlite).",
                HelpName = "sqlite|postgres|none",
            },
            new Option<string>("--postgres")
            {
                Description = "Connection string of the store in PostgreSQL; Search Path names its schema (metricstream).",
                HelpName = "CONNECTION",
            },
            new Option<string>("--retention") { Description = "How long samples are kept (30d).", HelpName = "TIME" },
            new Option<string>("--id-window") { Description = "How long batch ids and posted batches are kept (24h).", HelpName = "TIME" },
            new Option<string>("--max-queue-bytes")
            {
                Description = "At this size of the queue intake answers 503 (10GiB).",
                HelpName = "SIZE",
            },
            new Option<string>("--max-body-bytes")
            {
                Description = "Largest body, before and after decompression (32MiB).",
                HelpName = "SIZE",
            },
            new Option<string>("--sse-consumer-pool-size")
            {
                Description = "Readers of the queue that the subscribers of /stream share (10).",
                HelpName = "N",
            },
            new Option<string>("--sse-max-subscribers") { Description = "Subscribers of /stream (2000).", HelpName = "N" },
        ];
        var command = new Command("serve",
            "Take metrics over HTTP, make them durable, acknowledge, store, answer queries (the default command).");
        foreach (var option in options)
            command.Options.Add(option);
        command.SetAction((result, cancellation) => RunAsync(Given(result, options), cancellation));
        return command;
    }

    internal static Dictionary<string, string?> Given(ParseResult result, IEnumerable<Option> options)
    {
        var given = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var option in options)
        {
            if (result.GetResult(option) is not { Implicit: false } found)
                continue;
            if (KafkaCommandLine.TryTake(option.Name, found.Tokens, given))
                continue;
            given[OptionNames.ToKey(option.Name)] = found.Tokens.Count == 0 ? "true" : found.Tokens[^1].Value;
        }
        return given;
    }

    private static async Task<int> RunAsync(Dictionary<string, string?> commandLine, CancellationToken cancellation)
    {
        var environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(e => (string)e.Key, e => (string?)e.Value ?? "", StringComparer.Ordinal);
        var (settings, violations) = ServeConfiguration.Read(commandLine, Environment.CurrentDirectory, environment);
        if (settings is null)
        {
            await Console.Error.WriteLineAsync("MetricStream cannot start with this configuration:");
            foreach (var violation in violations)
                await Console.Error.WriteLineAsync($"  {violation}");
            return ExitUsage;
        }
        try
        {
            return settings.Kafka is null
                ? await Server.RunAsync(settings, cancellation)
                : await KafkaServer.RunAsync(settings, settings.Kafka, cancellation);
        }
        catch (StartRefusedException refused)
        {
            await Console.Error.WriteLineAsync($"MetricStream cannot start: {refused.Message}");
            return ExitUsage;
        }
    }
}
