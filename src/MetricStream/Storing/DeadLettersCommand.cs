using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using EvenKeel.Kafka;
using MetricStream.Kafka;
using MetricStream.Serving;

namespace MetricStream.Storing;

/// <summary>A dead letter as the command shows it.</summary>
internal sealed record ListedLetter(
    string Id, string Source, string Client, string BatchId, long ArrivedUnixMs, string Reason, ReadOnlyMemory<byte> Body);

/// <summary>
/// <c>metricstream dead-letters list|replay</c>: what the store refused, in its file (<c>--data</c>), in PostgreSQL (<c>--postgres</c>) or
/// in the dead-letter topic (<c>--bootstrap-servers</c>). Exit 0; 1: some are refused again; 2: usage, or nothing there that can be asked.
/// </summary>
internal static class DeadLettersCommand
{
    private const int ExitDone = 0;
    private const int ExitRefused = 1;
    private const int ExitUsage = 2;
    private const int ExitInterrupted = 130;
    private const int Page = 500;

    public static Command Create()
    {
        var command = new Command("dead-letters", "Show what the store refused for good, or bring it back once the cause is gone.");
        command.Subcommands.Add(CreateList());
        command.Subcommands.Add(CreateReplay());
        return command;
    }

    private static Command CreateList()
    {
        var json = new Option<bool>("--json") { Description = "A line of JSON each, with the body." };
        var (command, options) = Create("list", "Show each letter with its reason.");
        command.Options.Add(json);
        command.SetAction((result, stop) => RunAsync(result, options, async place =>
        {
            var (output, count) = (result.InvocationConfiguration.Output, 0);
            foreach (var letter in place.Kafka is { } kafka ? DeadLetterLog.List(kafka, stop) : ListStore(place))
            {
                await output.WriteLineAsync(result.GetValue(json) ? Json(letter) : Line(letter));
                count++;
            }
            if (!result.GetValue(json))
                await output.WriteLineAsync(count == 1 ? "1 dead letter." : $"{count} dead letters.");
            return ExitDone;
        }));
        return command;
    }

    private static Command CreateReplay()
    {
        var (command, options) = Create("replay", "Try them again: in the store at once, from the topic by the servers that store.");
        command.SetAction((result, stop) => RunAsync(result, options, async place =>
        {
            var output = result.InvocationConfiguration.Output;
            if (place.Kafka is { } kafka)
            {
                var report = await DeadLetterLog.ReplayAsync(kafka, stop);
                await output.WriteLineAsync(
                    $"{report.Replayed} sent back to '{kafka.Topic}'; what is refused again becomes a dead letter again.");
                return ExitDone;
            }
            var (tried, refused) = ReplayStore(place);
            await output.WriteLineAsync($"{tried - refused} of {tried} are stored or known now, {refused} are refused again.");
            return refused == 0 ? ExitDone : ExitRefused;
        }));
        return command;
    }

    private static (Command Command, Option[] Options) Create(string name, string description)
    {
        Option[] options =
        [
            new Option<string>("--data") { Description = "The data folder of a server with a file queue and its store.", HelpName = "DIR" },
            new Option<string>("--postgres")
            {
                Description = "The store in PostgreSQL of servers with a file queue: a connection string.",
                HelpName = "CONNECTION",
            },
            .. KafkaCommandLine.Options().Where(option => option.Name is not ("--partitions" or "--role")),
        ];
        var command = new Command(name, description);
        foreach (var option in options)
            command.Options.Add(option);
        return (command, options);
    }

    private static async Task<int> RunAsync(ParseResult result, Option[] options, Func<Place, Task<int>> command)
    {
        var error = result.InvocationConfiguration.Error;
        try
        {
            var given = ServeCommand.Given(result, options);
            var isFile = given.Remove("Data", out var data);
            var isPostgres = given.Remove("Postgres", out var postgres);
            if ((isFile ? 1 : 0) + (isPostgres ? 1 : 0) + (given.Count > 0 ? 1 : 0) != 1)
            {
                await error.WriteLineAsync(
                    "Name one place: --data DIR of a server with a file queue, --postgres of its store there, or "
                    + "--bootstrap-servers of Kafka.");
                return ExitUsage;
            }
            if (isFile || isPostgres)
                return await command(new Place(isFile ? new ServeSettings { Data = data! }.StoreFile : null, postgres, null));
            var (kafka, violations) = KafkaCommandLine.Read(given);
            foreach (var violation in violations)
                await error.WriteLineAsync(violation);
            return kafka is null ? ExitUsage : await command(new Place(null, null, kafka));
        }
        catch (Exception refused)
            when (refused is StoreOpenException or StoreUnavailableException or KafkaException or FileNotFoundException)
        {
            await error.WriteLineAsync(refused.Message);
            return ExitUsage;
        }
        catch (OperationCanceledException)
        {
            await error.WriteLineAsync("Interrupted; what was sent back stays so.");
            return ExitInterrupted;
        }
    }

    private static IEnumerable<ListedLetter> ListStore(Place place)
    {
        using var store = Open(place);
        foreach (var letter in All(store))
        {
            var batch = letter.Record.Batch;
            yield return new ListedLetter(
                letter.Id.ToString(CultureInfo.InvariantCulture), letter.Source,
                batch is { } known ? Encoding.UTF8.GetString(known.ClientId.Span) : "",
                batch is { } named ? Encoding.UTF8.GetString(named.BatchId.Span) : "", batch?.ArrivedUnixMs ?? 0, letter.Reason,
                batch?.Body ?? letter.Record.Bytes);
        }
    }

    private static (long Tried, long Refused) ReplayStore(Place place)
    {
        using var store = Open(place);
        var (tried, refused, after) = (0L, 0L, 0L);
        while (store.DeadLetters(after, Page) is { Count: > 0 } letters)
        {
            after = letters[^1].Id;
            tried += letters.Count;
            refused += store.Retry(letters).Count;
        }
        return (tried, refused);
    }

    private static IEnumerable<DeadLetter> All(IDeadLetters store)
    {
        for (var after = 0L; store.DeadLetters(after, Page) is { Count: > 0 } letters; after = letters[^1].Id)
        {
            foreach (var letter in letters)
                yield return letter;
        }
    }

    private static IDeadLetters Open(Place place)
    {
        if (place.File is not { } file)
            return new PostgresDeadLetters(place.Postgres!);
        return File.Exists(file)
            ? SqliteMetricStore.Open(file)
            : throw new FileNotFoundException(
                $"There is no store at '{Path.GetFullPath(file)}'. Name the --data folder of a server that stored there; "
                + "a store in PostgreSQL is named by --postgres.");
    }

    private static string Line(ListedLetter letter) => string.Join("  ",
        letter.Id, Time(letter), letter.Client.Length > 0 ? letter.Client : "-", letter.BatchId.Length > 0 ? letter.BatchId : "-",
        $"{letter.Body.Length} bytes", letter.Reason);

    private static string Json(ListedLetter letter)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("id", letter.Id);
            json.WriteString("source", letter.Source);
            json.WriteString("client", letter.Client);
            json.WriteString("batch_id", letter.BatchId);
            json.WriteNumber("arrived", letter.ArrivedUnixMs);
            json.WriteString("reason", letter.Reason);
            json.WriteString("body", Encoding.UTF8.GetString(letter.Body.Span));
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static string Time(ListedLetter letter) => letter.ArrivedUnixMs <= 0 ? "-"
        : DateTimeOffset.FromUnixTimeMilliseconds(letter.ArrivedUnixMs).ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);

    /// <summary>Where the letters lie: one of the three.</summary>
    private sealed record Place(string? File, string? Postgres, KafkaOptions? Kafka);
}
