using System.Text;

namespace MetricStream.Tests.Intake;

/// <summary>Malformed and extreme bodies, each with the status that the contract names for it.</summary>
internal static class ExtremeBodies
{
    private const string Metric = """{"name":"cpu","value":0.5,"type":"gauge"}""";

    public static IEnumerable<(string Name, byte[] Body, int Status)> All()
    {
        foreach (var (text, status) in Texts())
            yield return (text.Length > 80 ? $"{text[..60]}... ({text.Length})" : text, Encoding.UTF8.GetBytes(text), status);
        foreach (var (name, body, status) in Bytes())
            yield return (name, body, status);
    }

    public static string Batch(string metric) => $$"""{"metrics":[{{metric}}]}""";

    public static string With(string member) => Batch($$"""{"name":"a","value":1,"type":"gauge",{{member}}}""");

    /// <summary>A batch in which an unknown member nests arrays so that the document is <paramref name="depth"/> deep.</summary>
    public static string Nested(int depth) =>
        $$"""{"x":{{new string('[', depth - 1)}}{{new string(']', depth - 1)}},"metrics":[{{Metric}}]}""";

    public static string Named(string rawName) => Batch($$"""{"name":"{{rawName}}","value":1,"type":"gauge"}""");

    public static string Valued(string rawValue) => Batch($$"""{"name":"a","value":{{rawValue}},"type":"gauge"}""");

    public static string Tagged(string rawTags) => With($"\"tags\":{{{rawTags}}}");

    public static string Metrics(int count) => $$"""{"metrics":[{{string.Join(',', Enumerable.Repeat(Metric, count))}}]}""";

    private static IEnumerable<(string Text, int Status)> Texts()
    {
        foreach (var text in NotJson())
            yield return (text, 400);
        foreach (var text in NoBatch())
            yield return (text, 422);
        foreach (var text in Batches())
            yield return (text, 200);
    }

    private static IEnumerable<string> NotJson()
    {
        string[] whole =
        [
            "", " ", "\n", "x", "nul", "true false", "{", "[", "\"", "{]", "[}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{1:2}", "{'a':1}",
            "{a:1}", "[1,]", "[,1]", "[1 2]", "{\"a\":1 \"b\":2}", "{\"a\":1}}", "{} {}", "{}x", "{}\0", "\0", "// c\n{}", "{/* c */}", "{}#",
            "NaN", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x10", "--1", "1_000", "\u00A0{}", "{}\u00A0", "\uFEFF\uFEFF{}", "\uFEFF",
        ];
        foreach (var text in whole)
            yield return text;
        foreach (var value in (string[])["NaN", "Infinity", "-Infinity", "+1", "01", "1.", ".5", "1e", "0x1", "1,", "True", "None", "undefined", "'1'", ""])
            yield return Valued(value);
        foreach (var name in (string[])["a\nb", "a\tb", "\u0001", "\\x41", "\\u12", "\\u12G4", "\\", "\\ud800", "\\udc00", "\\ud83dx", "\\ud83d\\u0041", "\\ude00\\ud83d"])
            yield return Named(name);
        yield return "{\"metrics\":[{\"name\":\"a\",\"value\":1,\"type\":\"gauge\"},]}";
        yield return With("\"unknown\":\"\\ud800\"");
        yield return With("\"\\udc00\":1");
        yield return With("\"unknown\":{\"a\":[{\"b\":\"\\ud800\"}]}");
        yield return Tagged("\"\\ud800\":\"v\"");
        yield return Tagged("\"k\":\"\\ud800\"");
        yield return "{\"metrics\":[{\"name\":5}],\"x\":\"\\ud800\"}";
        yield return "{\"metrics\":[]}garbage";
        yield return "{\"metrics\":[]";
        yield return "[\"\\ud800\"]";
        yield return Nested(65);
        yield return Nested(66);
        yield return Nested(100_000);
        yield return new string('[', 1_000_000);
        yield return string.Concat(Enumerable.Repeat("{\"a\":", 100_000));
        yield return Metrics(10_001) + "]";
    }

    private static IEnumerable<string> NoBatch()
    {
        string[] roots = ["null", "true", "1", "\"metrics\"", "[]", "[{\"metrics\":[]}]", "{}", "1e400", "{\"Metrics\":[]}", "{\"metric\":[]}"];
        foreach (var root in roots)
            yield return root;
        foreach (var metrics in (string[])["null", "true", "1", "\"x\"", "{}", "[]", "[null]", "[1]", "[\"x\"]", "[true]", "[[]]", "[{}]"])
            yield return $$"""{"metrics":{{metrics}}}""";
        yield return $$"""{"metrics":[{{Metric}}],"metrics":[{{Metric}}]}""";
        yield return $$"""{"metrics":[{{Metric}}],"m\u0065trics":[]}""";
        yield return $$"""{"metrics":[{{Metric}},1,{{Metric}}]}""";

        foreach (var wrong in (string[])["null", "true", "1", "[]", "{}", "[\"a\"]"])
        {
            yield return Batch($$"""{"name":{{wrong}},"value":1,"type":"gauge"}""");
            yield return Batch($$"""{"name":"a","value":1,"type":{{wrong}}}""");
            yield return With($"\"tags\":{{\"k\":{wrong}}}");
        }

        foreach (var wrong in (string[])["null", "true", "\"1\"", "\"NaN\"", "[]", "{}", "[1]", "1e400", "-1e400", "1e309", "1e99999999999", new string('9', 400)])
            yield return Valued(wrong);
        foreach (var wrong in (string[])["null", "true", "1", "\"a\"", "[]", "[\"a\"]"])
            yield return With($"\"tags\":{wrong}");
        foreach (var wrong in (string[])["null", "true", "[]", "{}", "1.5", "1e400", "\"\"", "\"now\"", "\"2023-11-14\"", "\"2023-11-14T22:13:20\"", "\"1.5\"", "1e30"])
        {
            yield return With($"\"timestamp\":{wrong}");
            yield return $$"""{"batch_timestamp":{{wrong}},"metrics":[{{Metric}}]}""";
        }

        foreach (var wrong in (string[])["null", "true", "1", "[]", "{}", "\"\"", "\".\"", "\"..\"", "\"a b\"", "\"a/b\"", "\"é\"", "\"\\u0000\"", $"\"{new string('a', 129)}\""])
            yield return $$"""{"client_id":{{wrong}},"metrics":[{{Metric}}]}""";
        foreach (var type in (string[])["", "Gauge", "GAUGE", "gauge ", "summary", "counter\\u0000"])
            yield return Batch($$"""{"name":"a","value":1,"type":"{{type}}"}""");

        yield return Batch("""{"value":1,"type":"gauge"}""");
        yield return Batch("""{"name":"a","type":"gauge"}""");
        yield return Batch("""{"name":"a","value":1}""");
        foreach (var twice in (string[])["\"name\":\"b\"", "\"value\":2", "\"type\":\"gauge\"", "\"n\\u0061me\":\"b\"", "\"tags\":{},\"tags\":{}", "\"timestamp\":1,\"timestamp\":1"])
            yield return With(twice);
        yield return $$"""{"batch_timestamp":1,"batch_timestamp":1,"metrics":[{{Metric}}]}""";
        yield return $$"""{"client_id":"a","client_id":"a","metrics":[{{Metric}}]}""";

        foreach (var name in (string[])["", "\\u0000", "\\n", "\\u001f", "\u007f", "\\u007F", "\u0085", "\\u0085", "\u009f", new string('a', 257), new string('é', 257)])
        {
            yield return Named(name);
            yield return Tagged($"\"{name}\":\"v\"");
            yield return Tagged($"\"k\":\"{name}\"");
        }

        yield return Named(string.Concat(Enumerable.Repeat("\U0001F600", 257)));
        yield return Named(string.Concat(Enumerable.Repeat("\\ud83d\\ude00", 257)));
        yield return Named(new string('a', 5_000_000));
        yield return Tagged("\"k\":\"1\",\"k\":\"2\"");
        yield return Tagged("\"\\u006b\":\"1\",\"k\":\"2\"");
        yield return Tagged("\"k\":\"1\",\"\\u006b\":\"2\"");
        yield return Tagged("\"\\u006b\":\"1\",\"\\u006B\":\"2\"");
        yield return Tagged(string.Join(',', Enumerable.Range(0, 65).Select(i => $"\"k{i}\":\"v\"")));
        yield return Metrics(10_001);
        yield return $$"""{"metrics":[{{string.Join(',', Enumerable.Repeat("1", 10_002))}}]}""";
    }

    private static IEnumerable<string> Batches()
    {
        yield return IntakeServer.GoodBody;
        yield return " \t\r\n" + IntakeServer.GoodBody + " \t\r\n";
        yield return "\uFEFF" + IntakeServer.GoodBody;
        yield return Nested(64);
        yield return Metrics(10_000);
        foreach (var value in (string[])["0", "-0", "0.0", "-1.5e-3", "1E5", "1.7976931348623157e308", "5e-324", "1e-400", "123456789012345678901234567890", new string('9', 308)])
            yield return Valued(value);
        foreach (var name in (string[])[" ", "a b", "é", "\U0001F600", "\\ud83d\\ude00", "\\\\", "\\\"", "\\/", "/", "\u00A0", "\u2028", new string('a', 256), new string('é', 256)])
        {
            yield return Named(name);
            yield return Tagged($"\"{name}\":\"{name}\"");
        }

        yield return Named(string.Concat(Enumerable.Repeat("\U0001F600", 256)));
        yield return Named(string.Concat(Enumerable.Repeat("\\ud83d\\ude00", 256)));
        yield return Tagged("");
        yield return Tagged(string.Join(',', Enumerable.Range(0, 64).Select(i => $"\"k{i}\":\"v\"")));
        yield return With("\"timestamp\":\"2016-12-31T23:59:60Z\"");
        yield return With("\"unknown\":1e400,\"unknown\":[null,{\"\":\"\\u0000\"}],\"Name\":1");
        yield return $$"""{"zone":"b","zone":"c","metrics":[{{Metric}}],"client_id":"a-B_c:d@e.f"}""";
        yield return $$"""{"\u006detrics":[{"n\u0061me":"a","v\u0061lue":1,"ty\u0070e":"g\u0061uge"}]}""";
        yield return With($"\"padding\":\"{new string('x', 4_000_000)}\"");
    }

    private static IEnumerable<(string Name, byte[] Body, int Status)> Bytes()
    {
        byte[][] invalid =
        [
            [0x80], [0xBF], [0xC0, 0xAF], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE2, 0x82], [0xE0, 0x80, 0xAF], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
            [0xF0, 0x9F, 0x98], [0xF0, 0x80, 0x80, 0xAF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFE], [0xFF],
        ];
        foreach (var bytes in invalid)
        {
            yield return ($"name with {Convert.ToHexString(bytes)}", Around(Named("@"), bytes), 400);
            yield return ($"unknown member with {Convert.ToHexString(bytes)}", Around(With("\"x\":{\"@\":[]}"), bytes), 400);
        }

        yield return ("UTF-16 LE", Encoding.Unicode.GetBytes(IntakeServer.GoodBody), 400);
        yield return ("UTF-16 BE with its mark", [0xFE, 0xFF, .. Encoding.BigEndianUnicode.GetBytes(IntakeServer.GoodBody)], 400);
        yield return ("UTF-32", Encoding.UTF32.GetBytes(IntakeServer.GoodBody), 400);
        yield return ("half a byte order mark", [0xEF, 0xBB, .. Encoding.UTF8.GetBytes(IntakeServer.GoodBody)], 400);
        yield return ("64 KiB of zeros", new byte[65536], 400);
        yield return ("gzip without its coding", [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3], 400);
        var random = new Random(20240229);
        for (var i = 0; i < 10; i++)
        {
            var noise = new byte[1 << i];
            random.NextBytes(noise);
            yield return ($"noise of {noise.Length}", noise, 400);
        }
    }

    private static byte[] Around(string body, byte[] bytes)
    {
        var at = body.IndexOf('@', StringComparison.Ordinal);
        return [.. Encoding.UTF8.GetBytes(body[..at]), .. bytes, .. Encoding.UTF8.GetBytes(body[(at + 1)..])];
    }
}
