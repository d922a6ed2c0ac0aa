using System.CommandLine;
using System.Text;
using System.Text.Json;
using EvenKeel.Queue;
using MetricStream.Queueing;
using Xunit;

namespace MetricStream.Tests;

public sealed class QueueCommandTests : IDisposable
{
    private const string Body = """
        {"client_id": "web", "metrics": [
          {"name": "cpu \"load\" \\", "value": 1.50, "type": "gauge", "extra": [1, {"a" : null}]},
          {"name": "größe", "value": 1e3, "type": "counter"}], "batch_timestamp": 1700000000123}
        """;

    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("metricstream-queue-");

    private string Data => Path.Combine(_root.FullName, "data");

    private string Folder => Path.Combine(Data, "queue");

    private string Segment => Directory.GetFiles(Folder, "*.segment").Order(StringComparer.Ordinal).First();

    [Fact]
    public async Task A_sound_queue_passes_and_is_found_in_its_data_folder_or_by_itself()
    {
        await Fill(3);
        foreach (var folder in new[] { Data, Folder })
        {
            var (exit, output, error) = Run("verify", folder);
            Assert.Equal((0, ""), (exit, error));
            Assert.StartsWith("sound: 3 records in 1 segments", output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Inspect_shows_segments_readers_and_watermarks_as_a_table()
    {
        await Fill(3);
        var (exit, output, _) = Run("inspect", Data);
        Assert.Equal(0, exit);
        Assert.Contains(Folder, output, StringComparison.Ordinal);
        Assert.Contains("head 0  acked 1  durable 3  proven durable 3", output, StringComparison.Ordinal);
        Assert.Matches(@"00000000000000000000\.segment +\d+ +3 +0 +0 +\d{4}-\d\d-\d\d", output);
        Assert.Matches(@"store +1 +2\b", output);
    }

    [Fact]
    public async Task Inspect_as_json_can_be_read_by_programs()
    {
        await Fill(3);
        Damage("id-1");
        var (exit, output, _) = Run("inspect", Data, "--json");
        Assert.Equal(1, exit);
        using var json = JsonDocument.Parse(output);
        var root = json.RootElement;
        Assert.False(root.GetProperty("sound").GetBoolean());
        Assert.Equal((2, 1, 3), (Number(root, "records"), Number(root, "lost_records"), Number(root, "durable")));
        Assert.Equal(("store", 1, 2), Reader(root.GetProperty("readers")[0]));
        var damage = root.GetProperty("damage")[0];
        Assert.Equal("payload", damage.GetProperty("kind").GetString());
        Assert.Equal((1, 1), (Number(damage, "first_sequence"), Number(damage, "records")));
        Assert.Equal(32, root.GetProperty("id").GetString()!.Length);

        static long Number(JsonElement element, string name) => element.GetProperty(name).GetInt64();
        static (string?, long, long) Reader(JsonElement reader) =>
            (reader.GetProperty("name").GetString(), Number(reader, "position"), Number(reader, "waiting"));
    }

    [Fact]
    public async Task Verify_lists_each_damage_with_its_place_and_sequences()
    {
        await Fill(5);
        Damage("id-1");
        Damage("id-3");
        var (exit, output, _) = Run("verify", Data);
        Assert.Equal(1, exit);
        var lines = output.Trim().Split('\n');
        Assert.Matches(@"^damage: payload in 00000000000000000000\.segment at offset \d+, \d+ bytes, sequence 1\.", lines[0]);
        Assert.Contains("sequence 3.", lines[1], StringComparison.Ordinal);
        Assert.StartsWith("not sound: 3 records", lines[2], StringComparison.Ordinal);
        Assert.EndsWith("2 damages, 2 records lost", lines[2].TrimEnd(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Export_writes_each_batch_in_one_line_with_its_metrics_as_they_were_posted()
    {
        await Fill(1);
        var (exit, output, error) = Run("export", Data);
        Assert.Equal((0, ""), (exit, error));
        const string first = """{"name":"cpu \"load\" \\","value":1.50,"type":"gauge","extra":[1,{"a":null}]}""";
        const string second = """{"name":"größe","value":1e3,"type":"counter"}""";
        const string head = """{"sequence":0,"client":"web","batch_id":"id-0","arrived":1700000000000""";
        Assert.Equal($$"""{{head}},"metrics":[{{first}},{{second}}],"batch_timestamp":1700000000123}""" + "\n", output);
    }

    [Fact]
    public async Task Export_shows_resends_and_what_it_cannot_read_as_such()
    {
        await Fill(0, Record(BatchRecordKind.Resend, 0, ""), "no record"u8.ToArray(), Record(BatchRecordKind.Batch, 2, "{\"metrics\":7}"),
            Record(BatchRecordKind.Batch, 3, "not json"));
        var (exit, output, error) = Run("export", Data);
        Assert.Equal(0, exit);
        var lines = output.Trim().Split('\n').Select(l => JsonDocument.Parse(l).RootElement).ToList();
        Assert.True(lines[0].GetProperty("resend").GetBoolean());
        Assert.Equal("id-0", lines[0].GetProperty("batch_id").GetString());
        Assert.Equal("no record", Encoding.UTF8.GetString(lines[1].GetProperty("base64").GetBytesFromBase64()));
        var bodies = lines[2..].Select(l => Encoding.UTF8.GetString(l.GetProperty("base64").GetBytesFromBase64()));
        Assert.Equal(["{\"metrics\":7}", "not json"], bodies);
        Assert.All(lines[1..], l => Assert.NotEqual("", l.GetProperty("unreadable").GetString()));
        Assert.Contains("3 sound records", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Export_tells_damage_on_standard_error_and_gives_the_rest()
    {
        await Fill(3);
        Damage("id-1");
        var file = Path.Combine(_root.FullName, "out.jsonl");
        var (exit, output, error) = Run("export", Data, "--out", file);
        Assert.Equal((1, ""), (exit, output));
        Assert.Contains("sequence 1.", error, StringComparison.Ordinal);
        Assert.Equal([0, 2], (await File.ReadAllLinesAsync(file, TestContext.Current.CancellationToken))
            .Select(l => JsonDocument.Parse(l).RootElement.GetProperty("sequence").GetInt64()));
    }

    [Fact]
    public async Task Export_never_overwrites_a_file_nor_writes_into_the_queue()
    {
        await Fill(1);
        var file = Path.Combine(_root.FullName, "mine");
        await File.WriteAllTextAsync(file, "mine", TestContext.Current.CancellationToken);
        Assert.Equal(2, Run("export", Data, "--out", file).Exit);
        Assert.Equal("mine", await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
        var (exit, _, error) = Run("export", Data, "--out", Path.Combine(Folder, "out"));
        Assert.Equal(2, exit);
        Assert.Contains("lies in the folder of the queue", error, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(Folder, "out")));
    }

    [Fact]
    public async Task Salvage_makes_a_sound_queue_and_says_what_was_lost_and_what_to_do()
    {
        await Fill(5);
        Damage("id-3");
        var destination = Path.Combine(_root.FullName, "new");
        var (exit, output, _) = Run("salvage", Data, destination);
        Assert.Equal(1, exit);
        Assert.Contains("salvaged 3 records from sequence 1 on; 1 could not be read", output, StringComparison.Ordinal);
        Assert.Contains("left out 1 records", output, StringComparison.Ordinal);
        Assert.Equal(0, Run("verify", destination).Exit);
        var lines = Run("export", destination).Output.Trim().Split('\n').Select(l => JsonDocument.Parse(l).RootElement);
        Assert.Equal(["id-1", "id-2", "id-4"], lines.Select(l => l.GetProperty("batch_id").GetString()));

        var (again, _, error) = Run("salvage", Data, destination);
        Assert.Equal(2, again);
        Assert.Contains("not empty", error, StringComparison.Ordinal);
        var everything = Path.Combine(_root.FullName, "everything");
        var all = Run("salvage", Data, everything, "--from", "0").Output;
        Assert.Contains("salvaged 4 records from sequence 0", all, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_sound_queue_is_salvaged_with_exit_0_and_an_id_given_helps_where_no_header_does()
    {
        await Fill(3);
        Guid id;
        using (var queue = Open())
            id = queue.Id;
        Assert.Equal(0, Run("salvage", Data, Path.Combine(_root.FullName, "sound")).Exit);
        File.Delete(Path.Combine(Folder, "store.reader"));
        Overwrite(0, new byte[128]);
        Assert.Equal(2, Run("salvage", Data, Path.Combine(_root.FullName, "blind")).Exit);
        Assert.Contains("name it with --id", Run("inspect", Data).Output, StringComparison.Ordinal);
        var (exit, output, _) = Run("salvage", Data, Path.Combine(_root.FullName, "told"), "--id", id.ToString("n"));
        Assert.Equal(1, exit);
        Assert.Contains("salvaged 3 records", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("inspect")]
    [InlineData("verify")]
    [InlineData("export")]
    [InlineData("salvage")]
    public async Task A_queue_in_use_and_a_folder_without_one_are_usage_errors_with_a_reason(string command)
    {
        string[] Words(string directory) =>
            command == "salvage" ? [command, directory, Path.Combine(_root.FullName, "new")] : [command, directory];

        Assert.Contains("no folder", RunRefused(Words(Path.Combine(_root.FullName, "absent"))), StringComparison.Ordinal);
        Directory.CreateDirectory(Folder);
        Assert.Contains("no queue", RunRefused(Words(Data)), StringComparison.Ordinal);
        await File.WriteAllTextAsync(Path.Combine(Folder, "garbage.bin"), "x", TestContext.Current.CancellationToken);
        Assert.Contains("garbage.bin", RunRefused(Words(Data)), StringComparison.Ordinal);
        using var queue = Open();
        Assert.Contains("open elsewhere", RunRefused(Words(Data)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("verify")]
    [InlineData("salvage", "a")]
    [InlineData("inspect", "a", "--wrong")]
    [InlineData("inspect", "a", "--id", "no-id")]
    [InlineData("salvage", "a", "b", "--from", "-1")]
    [InlineData("salvage", "a", "b", "--from", "x")]
    public void Wrong_words_are_parse_errors(params string[] words) => Assert.NotEmpty(QueueCommand.Create().Parse(words).Errors);

    public void Dispose() => _root.Delete(recursive: true);

    private static (int Exit, string Output, string Error) Run(params string[] words)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var parsed = QueueCommand.Create().Parse(words);
        Assert.Empty(parsed.Errors);
        var exit = parsed.Invoke(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false });
        return (exit, output.ToString(), error.ToString());
    }

    private static string RunRefused(string[] words)
    {
        var (exit, output, error) = Run(words);
        Assert.Equal((2, ""), (exit, output));
        return error;
    }

    private static byte[] Record(BatchRecordKind kind, int number, string body)
    {
        var header = new byte[BatchRecord.MaxHeaderBytes];
        var length = BatchRecord.WriteHeader(header, kind, 1_700_000_000_000 + number, 2, "web"u8, Encoding.ASCII.GetBytes($"id-{number}"));
        return [.. header[..length], .. Encoding.UTF8.GetBytes(body)];
    }

    private DurableQueue Open() => DurableQueue.Open(new DurableQueueOptions { Directory = Folder });

    /// <summary>Batches <c>id-0</c>, <c>id-1</c>, … in a queue whose reader is done with the first, then records as given.</summary>
    private async Task Fill(int batches, params byte[][] records)
    {
        using var queue = Open();
        for (var i = 0; i < batches; i++)
            await queue.AppendAsync(Record(BatchRecordKind.Batch, i, Body));
        foreach (var record in records)
            await queue.AppendAsync(record);
        using var reader = queue.OpenReader("store");
        if (reader.TryRead(1, 1) is { } batch && batches > 1)
            reader.Acknowledge(batch.NextPosition);
    }

    private void Damage(string batchId)
    {
        var at = File.ReadAllBytes(Segment).AsSpan().IndexOf(Encoding.ASCII.GetBytes(batchId));
        Assert.True(at > 0, $"{batchId} is not in {Segment}");
        Overwrite(at, "ID"u8.ToArray());
    }

    private void Overwrite(long offset, byte[] bytes)
    {
        using var file = new FileStream(Segment, FileMode.Open, FileAccess.ReadWrite);
        file.Position = offset;
        file.Write(bytes);
    }
}
