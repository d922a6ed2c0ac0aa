using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using MetricStream.Intake;
using MetricStream.Queueing;
using Xunit;

namespace MetricStream.Tests.Intake;

/// <summary>
/// Valid bodies, mutated by a seed. An oracle on <see cref="JsonDocument"/> says whether each is JSON and whether it is a batch, and what
/// it contains; the validator and the reader must agree. Set EVENKEEL_SEED to replay.
/// </summary>
public sealed class BatchFuzzTests
{
    private const long Arrived = 1_700_000_000_123;

    private const int Bodies = 40_000;

    private static readonly string[] Pieces =
    [
        "\"", "\\", "\\u", "\\ud83d", "\\ude00", "\\ud83d\\ude00", "\\u0000", "\\n", "{", "}", "[", "]", ",", ":", "null", "true", "1e400", "-", "0", "1.5",
        "\"name\":\"x\",", "\"value\":1,", "\"type\":\"gauge\",", "\"tags\":{},", "\"timestamp\":1,", "\"metrics\":[],", "\"client_id\":\"z\",",
        "\"batch_timestamp\":5,", "\u0001", "\u007f", "\u0085", "é", "\U0001F600", " ", "{}", "[]", "\"\"",
    ];

    [Fact]
    public void The_validator_and_the_reader_see_what_the_documents_of_System_Text_Json_see()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("EVENKEEL_SEED"), CultureInfo.InvariantCulture, out var given)
            ? given
            : Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"SEED={seed}");
        var random = new Random(seed);
        var (bodies, malformed, invalid, read) = (0, 0, 0, 0);
        while (bodies < Bodies)
        {
            var body = Mutate(random, Encoding.UTF8.GetBytes(Generate(random)));
            var expected = Oracle(body, out var metrics);
            var verdict = BatchValidator.Validate(body, 10_000);
            var seen = verdict.Malformed is not null ? 400 : verdict.Errors is not null ? 422 : 200;
            var context = $"SEED={seed}, body {bodies}: {Encoding.UTF8.GetString(body)}";
            Assert.True(expected == seen, $"{expected} was expected, not {seen} ({verdict.Malformed}). {context}");
            if (seen == 200)
            {
                Assert.True(metrics!.Count == verdict.MetricCount, context);
                var found = Read(body);
                Assert.True(metrics.SequenceEqual(found), $"{string.Join(" | ", metrics)} was expected, not {string.Join(" | ", found)}. {context}");
                read++;
            }

            bodies++;
            malformed += seen == 400 ? 1 : 0;
            invalid += seen == 422 ? 1 : 0;
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{bodies} bodies: {malformed} malformed, {invalid} invalid, {read} read");
        Assert.True(malformed > 100 && invalid > 100 && read > 100, $"The mix says nothing: {malformed} malformed, {invalid} invalid, {read} read");
    }

    private static string Generate(Random random)
    {
        var members = new List<string> { "\"metrics\":[" + string.Join(',', Enumerable.Range(0, random.Next(1, 4)).Select(_ => Metric(random))) + "]" };
        if (random.Next(3) == 0)
            members.Insert(random.Next(2), $"\"batch_timestamp\":{Timestamp(random)}");
        if (random.Next(3) == 0)
            members.Insert(random.Next(members.Count + 1), "\"client_id\":\"c\\u002d1\"");
        if (random.Next(3) == 0)
            members.Insert(random.Next(members.Count + 1), "\"x\":{\"metrics\":[null,{\"batch_timestamp\":\"y\"}]}");
        return "{" + string.Join(random.Next(2) == 0 ? "," : " ,\n", members) + "}";
    }

    private static string Metric(Random random)
    {
        var tags = string.Join(',', Enumerable.Range(0, random.Next(5)).OrderBy(_ => random.Next()).Select(i => $"{Text(random, $"k{i}")}:{Text(random, "v")}"));
        var members = new List<string>
        {
            $"\"name\":{Text(random, "cpu")}",
            $"\"value\":{(random.NextDouble() - 0.5) * Math.Pow(10, random.Next(-20, 20)):R}",
            $"\"type\":\"{(string[])["gauge", "counter", "histogram", "h\\u0069stogram"] switch { var types => types[random.Next(4)] }}\"",
        };
        if (random.Next(2) == 0)
            members.Add($"\"tags\":{{{tags}}}");
        if (random.Next(2) == 0)
            members.Add($"\"timestamp\":{Timestamp(random)}");
        if (random.Next(4) == 0)
            members.Add("\"note\":[1,{\"name\":\"\\ud83d\\ude00\"}]");
        return "{" + string.Join(',', members.OrderBy(_ => random.Next())) + "}";
    }

    private static string Timestamp(Random random) => random.Next(3) switch
    {
        0 => random.NextInt64(2_000_000_000_000).ToString(CultureInfo.InvariantCulture),
        1 => $"\"{random.NextInt64(2_000_000_000_000)}\"",
        _ => $"\"{DateTimeOffset.FromUnixTimeMilliseconds(random.NextInt64(2_000_000_000_000)):O}\"",
    };

    private static string Text(Random random, string stem) => random.Next(4) switch
    {
        0 => $"\"{stem}é\U0001F600\"",
        1 => $"\"{stem}\\u00e9\\ud83d\\ude00\"",
        2 => $"\"\\u{(int)stem[0]:x4}{stem[1..]}\"",
        _ => $"\"{stem}\"",
    };

    private static byte[] Mutate(Random random, byte[] body)
    {
        for (var times = random.Next(3); times > 0; times--)
        {
            var at = random.Next(body.Length);
            var length = Math.Min(random.Next(1, 12), body.Length - at);
            body = random.Next(5) switch
            {
                0 => [.. body[..at], .. Encoding.UTF8.GetBytes(Pieces[random.Next(Pieces.Length)]), .. body[at..]],
                1 => [.. body[..at], .. Encoding.UTF8.GetBytes(Pieces[random.Next(Pieces.Length)]), .. body[(at + length)..]],
                2 => [.. body[..at], .. body[(at + length)..], (byte)' '],
                3 => [.. body[..(at + length)], .. body[at..]],
                _ => [.. body[..at], (byte)(body[at] ^ (1 << random.Next(8))), .. body[(at + 1)..]],
            };
        }

        return body;
    }

    private static List<string> Read(byte[] body)
    {
        var found = new List<string>();
        using var reader = new BatchReader(body, Arrived);
        while (reader.Read())
        {
            var key = reader.SeriesKey;
            var tags = SeriesKey.TagList(key).Select(tag => $"{tag.Key}={tag.Value};");
            found.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{SeriesKey.TypeName(SeriesKey.Type(key))} {Encoding.UTF8.GetString(SeriesKey.Name(key))} {string.Concat(tags)} {reader.Value:R} {reader.TimestampUnixMs}"));
        }

        return found;
    }

    private static int Oracle(byte[] body, out List<string>? metrics)
    {
        metrics = null;
        if (!Utf8.IsValid(body))
            return 400;
        try
        {
            using var document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 64, AllowDuplicateProperties = true });
            ReadAllText(document.RootElement);
            metrics = Batch(document.RootElement);
            return metrics is null ? 422 : 200;
        }
        catch (Exception notJson) when (notJson is JsonException or InvalidOperationException { Source: "System.Text.Json" or "System.Text.Json.Rethrowable" })
        {
            return 400;
        }
    }

    // Documents look at the text of a string only when asked for it, and throw then where it is no text.
    private static int ReadAllText(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.String => element.GetString()!.Length,
        JsonValueKind.Array => element.EnumerateArray().Sum(ReadAllText),
        JsonValueKind.Object => element.EnumerateObject().Sum(member => member.Name.Length + ReadAllText(member.Value)),
        _ => 0,
    };

    private static List<string>? Batch(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object || !Once(root, "metrics", "batch_timestamp", "client_id"))
            return null;
        if (root.TryGetProperty("client_id", out var client)
            && (client.ValueKind != JsonValueKind.String || ClientId.Flaw(Encoding.UTF8.GetBytes(client.GetString()!)) is not null))
        {
            return null;
        }

        var time = Arrived;
        if (root.TryGetProperty("batch_timestamp", out var batchTime) && !TryTime(batchTime, out time))
            return null;
        if (!root.TryGetProperty("metrics", out var metrics) || metrics.ValueKind != JsonValueKind.Array || metrics.GetArrayLength() == 0)
            return null;
        var lines = new List<string>();
        foreach (var metric in metrics.EnumerateArray())
        {
            if (Line(metric, time) is not { } line)
                return null;
            lines.Add(line);
        }

        return lines;
    }

    private static string? Line(JsonElement metric, long time)
    {
        if (metric.ValueKind != JsonValueKind.Object || !Once(metric, "name", "value", "type", "tags", "timestamp")
            || !metric.TryGetProperty("name", out var name) || !IsText(name)
            || !metric.TryGetProperty("value", out var value) || value.ValueKind != JsonValueKind.Number || !double.IsFinite(value.GetDouble())
            || !metric.TryGetProperty("type", out var type) || type.ValueKind != JsonValueKind.String
            || type.GetString() is not ("gauge" or "counter" or "histogram")
            || (metric.TryGetProperty("timestamp", out var own) && !TryTime(own, out time)))
        {
            return null;
        }

        var sorted = new SortedDictionary<string, string>(Comparer<string>.Create((x, y) => Encoding.UTF8.GetBytes(x).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(y))));
        if (metric.TryGetProperty("tags", out var tags))
        {
            if (tags.ValueKind != JsonValueKind.Object)
                return null;
            foreach (var tag in tags.EnumerateObject())
            {
                if (!IsText(tag.Value) || !IsText(tag.Name) || !sorted.TryAdd(tag.Name, tag.Value.GetString()!))
                    return null;
            }
        }

        var list = string.Concat(sorted.Select(tag => $"{tag.Key}={tag.Value};"));
        return string.Create(CultureInfo.InvariantCulture, $"{type.GetString()} {name.GetString()} {list} {value.GetDouble():R} {time}");
    }

    private static bool Once(JsonElement element, params string[] names) =>
        element.EnumerateObject().Select(member => member.Name).Where(names.Contains).GroupBy(name => name).All(group => group.Count() == 1);

    private static bool IsText(JsonElement element) => element.ValueKind == JsonValueKind.String && IsText(element.GetString()!);

    private static bool IsText(string text)
    {
        var runes = text.EnumerateRunes().ToList();
        return runes.Count is >= 1 and <= 256 && !runes.Exists(Rune.IsControl);
    }

    private static bool TryTime(JsonElement element, out long unixMs)
    {
        unixMs = 0;
        if (element.ValueKind == JsonValueKind.String)
            return MetricTimestamp.TryParse(Encoding.UTF8.GetBytes(element.GetString()!), out unixMs);
        if (element.ValueKind != JsonValueKind.Number)
            return false;
        var number = element.GetDouble();
        unixMs = number is >= -1e15 and <= 1e15 ? (long)number : 0;
        return number == Math.Floor(number) && number is >= MetricTimestamp.MinUnixMs and <= MetricTimestamp.MaxUnixMs;
    }
}
