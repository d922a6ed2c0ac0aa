using System.Diagnostics;

namespace House.Scripts;

/// <summary>How one run of <c>.ci/run</c> ended, and the calls of the programs it ran, in order.</summary>
internal sealed record CiEnd(int ExitCode, string Output, string Errors, IReadOnlyList<string> Calls);

/// <summary>A bench on which <c>.ci/run</c> runs alone, with a dotnet, a packer and a Kafka that only write down that they were called.</summary>
internal sealed class CiBench : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("ci-run-").FullName;

    public CiBench()
    {
        Write("main/.ci/run", File.ReadAllText(Path.Combine(Repository.FindRoot(), ".ci", "run")));
        Write("main/eng/pack", "#!/bin/sh\n" + Note("pack"));
        ReplaceDotnetTest("echo 'Test run summary: Passed!'; echo '  succeeded: 3'; echo '  failed: 0'; echo '  skipped: 1'");
    }

    /// <summary>A folder with a Kafka's scripts, outside the checkout; nothing is in it until <see cref="PutKafka"/>.</summary>
    public string KafkaHome => Path.Combine(_folder, "elsewhere", "kafka");

    /// <summary>What the folder of all is named in scripts.</summary>
    public string Folder => _folder;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Puts the two scripts into a folder below the bench: start does what is said, stop writes down which it was told to end.</summary>
    public void PutKafka(string start = "echo starting >&2; echo 127.0.0.1:4711", string folder = "elsewhere/kafka", string stop = "")
    {
        Write($"{folder}/start", $"#!/bin/sh\n{Note("start $*")}{start}\n");
        Write($"{folder}/stop", $"#!/bin/sh\n{Note("stop $*")}{stop}\n");
    }

    public void ReplaceDotnetTest(string body) => Write(
        "bin/dotnet", $"#!/bin/sh\n{Note("dotnet $1 ${EVENKEEL_BOOTSTRAP_SERVERS:-nowhere} ${EVENKEEL_KAFKA_HOME:-homeless}")}"
            + $"if [ \"$1\" = test ]; then\n{body}\nfi\n");

    public async Task<CiEnd> RunAsync(CancellationToken cancellation, params (string Name, string Value)[] environment)
    {
        using var process = new Process { StartInfo = Start(environment) };
        process.Start();
        var output = process.StandardOutput.ReadToEndAsync(cancellation);
        var errors = process.StandardError.ReadToEndAsync(cancellation);
        try
        {
            await process.WaitForExitAsync(cancellation).WaitAsync(Deadline, cancellation);
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($".ci/run did not end within {Deadline}: {await output}{await errors}");
        }
        var calls = Path.Combine(_folder, "calls");
        return new CiEnd(process.ExitCode, await output, await errors, File.Exists(calls) ? await File.ReadAllLinesAsync(calls, cancellation) : []);
    }

    private ProcessStartInfo Start((string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo("bash", [Path.Combine(_folder, "main", ".ci", "run")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.Combine(_folder),
        };
        foreach (var name in new[] { "CI", "EVENKEEL_BOOTSTRAP_SERVERS", "EVENKEEL_KAFKA_HOME", "EVENKEEL_POSTGRES" })
            start.Environment.Remove(name);
        start.Environment["PATH"] = $"{Path.Combine(_folder, "bin")}:{start.Environment["PATH"]}";
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return start;
    }

    private string Note(string call) => $"echo \"{call}\" >> '{_folder}/calls'\n";

    private void Write(string path, string text)
    {
        var file = Path.Combine(_folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
