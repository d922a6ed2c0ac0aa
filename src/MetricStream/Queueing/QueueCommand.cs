using System.CommandLine;
using EvenKeel.Queue;
using EvenKeel.Queue.Inspection;

namespace MetricStream.Queueing;

/// <summary>
/// <c>metricstream queue inspect|verify|export|salvage</c>: looks at a queue while nobody uses it and changes nothing in it.
/// Exit 0: every byte is sound; 1: something is not; 2: usage, no queue there, or in use.
/// </summary>
internal static class QueueCommand
{
    private const int ExitSound = 0;
    private const int ExitDamage = 1;
    private const int ExitUsage = 2;
    private const int ExitInterrupted = 130;

    public static Command Create()
    {
        var command = new Command("queue", "Look at a file queue offline: nothing in it is changed.");
        command.Subcommands.Add(CreateInspect());
        command.Subcommands.Add(CreateVerify());
        command.Subcommands.Add(CreateExport());
        command.Subcommands.Add(CreateSalvage());
        return command;
    }

    private static Command CreateInspect()
    {
        var (directory, id, json) = (DirectoryArgument(), IdOption(), JsonOption());
        var command = new Command("inspect", "Show segments, readers, watermarks and damage.") { directory, id, json };
        command.SetAction(result => Run(result, () =>
        {
            using var inspection = Open(result.GetRequiredValue(directory), result.GetValue(id));
            var summary = inspection.Summarize();
            if (result.GetValue(json))
                QueueCommandReport.WriteJson(Output(result), inspection, summary);
            else
                QueueCommandReport.WriteTable(Output(result), inspection, summary);
            return summary.IsSound ? ExitSound : ExitDamage;
        }));
        return command;
    }

    private static Command CreateVerify()
    {
        var (directory, id, json) = (DirectoryArgument(), IdOption(), JsonOption());
        var command = new Command("verify", "Check every byte and list each damage: where it is and which records it costs.")
        {
            directory, id, json,
        };
        command.SetAction(result => Run(result, () =>
        {
            using var inspection = Open(result.GetRequiredValue(directory), result.GetValue(id));
            var asJson = result.GetValue(json);
            var summary = inspection.Summarize(asJson ? null : damage => Output(result).WriteLine(QueueCommandReport.Line(damage)));
            if (asJson)
                QueueCommandReport.WriteJson(Output(result), inspection, summary);
            else
                Output(result).WriteLine(QueueCommandReport.Verdict(summary));
            return summary.IsSound ? ExitSound : ExitDamage;
        }));
        return command;
    }

    private static Command CreateExport()
    {
        var (directory, id) = (DirectoryArgument(), IdOption());
        var file = new Option<string>("--out") { Description = "Write to this new file instead of standard output.", HelpName = "FILE" };
        var command = new Command("export", "Write every batch as a line of JSON; damage goes to standard error.") { directory, id, file };
        command.SetAction(result => Run(result, () =>
        {
            using var inspection = Open(result.GetRequiredValue(directory), result.GetValue(id));
            var export = new QueueCommandExport(inspection, result.InvocationConfiguration.Error);
            if (result.GetValue(file) is { } path)
                export.WriteTo(path);
            else
                export.WriteTo(Output(result));
            return export.IsSound ? ExitSound : ExitDamage;
        }));
        return command;
    }

    private static Command CreateSalvage()
    {
        var (directory, id) = (DirectoryArgument(), IdOption());
        var destination = new Argument<string>("NEW_DIR") { Description = "Folder for the new queue; must be empty or absent." };
        var from = new Option<long?>("--from")
        {
            Description = "First sequence to take over (the smallest position of a reader); 0 takes everything that is still there.",
            HelpName = "SEQUENCE",
        };
        from.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && long.TryParse(result.Tokens[0].Value, out var sequence) && sequence < 0)
                result.AddError($"--from is {sequence}: use a sequence, 0 or more.");
        });
        var command = new Command("salvage", "Read everything that is sound into a new queue; the damaged one is not touched.")
        {
            directory, destination, id, from,
        };
        command.SetAction((result, cancellation) => RunAsync(result, async () =>
        {
            var options = new SalvageOptions { QueueId = result.GetValue(id), FromSequence = result.GetValue(from) };
            var source = QueueFolder(result.GetRequiredValue(directory));
            var target = Path.GetFullPath(result.GetRequiredValue(destination));
            var report = await QueueSalvage.RunAsync(source, target, options, cancellation);
            QueueCommandReport.WriteSalvage(Output(result), source, target, report);
            return report.Source.IsSound ? ExitSound : ExitDamage;
        }));
        return command;
    }

    private static int Run(ParseResult result, Func<int> command)
    {
        try
        {
            return command();
        }
        catch (Exception error) when (Explain(error) is { } refusal)
        {
            result.InvocationConfiguration.Error.WriteLine(refusal.Message);
            return refusal.Exit;
        }
    }

    private static async Task<int> RunAsync(ParseResult result, Func<Task<int>> command)
    {
        try
        {
            return await command();
        }
        catch (Exception error) when (Explain(error) is { } refusal)
        {
            await result.InvocationConfiguration.Error.WriteLineAsync(refusal.Message);
            return refusal.Exit;
        }
    }

    /// <summary>What an operator can mend, as exit code and message; null for anything else, which is a bug.</summary>
    private static (int Exit, string Message)? Explain(Exception error) => error switch
    {
        // A disk that cannot be read is damage, and more is behind it than this command could see.
        QueueOpenException { Failure: QueueOpenFailure.Unusable, InnerException: IOException } => (ExitDamage, error.Message),
        QueueOpenException or QueueExportException => (ExitUsage, error.Message),
        QueueRefusedException => (ExitUsage, $"Nothing was salvaged: {error.Message}"),
        UnauthorizedAccessException => (ExitUsage, $"{error.Message} Run the command as the user that metricstream runs as."),
        OperationCanceledException => (ExitInterrupted, "Interrupted; nothing was left behind."),
        _ => null,
    };

    private static TextWriter Output(ParseResult result) => result.InvocationConfiguration.Output;

    private static QueueInspection Open(string directory, Guid? id) => QueueInspection.Open(QueueFolder(directory), id);

    /// <summary>The queue in a <c>--data</c> folder, or the folder itself when it is a queue's.</summary>
    private static string QueueFolder(string directory)
    {
        var inData = Path.Combine(directory, "queue");
        return Directory.Exists(inData) && !HoldsSegments(directory) ? inData : directory;
    }

    private static bool HoldsSegments(string directory) => Directory.EnumerateFiles(directory, "*.segment").Any();

    private static Argument<string> DirectoryArgument() =>
        new("DIR") { Description = "A --data folder of metricstream, or the folder of the queue itself." };

    private static Option<Guid?> IdOption() => new("--id")
    {
        Description = "The queue's id, where no file tells it any more (the store's source is file:ID).",
        HelpName = "ID",
    };

    private static Option<bool> JsonOption() => new("--json") { Description = "Write one JSON object instead of a table." };
}
