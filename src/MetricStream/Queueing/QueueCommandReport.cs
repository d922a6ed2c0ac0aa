using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using EvenKeel.Queue.Inspection;

namespace MetricStream.Queueing;

/// <summary>How an inspected queue is shown: a table and lines for people, one JSON object for programs.</summary>
internal static class QueueCommandReport
{
    private static readonly JsonWriterOptions Json = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void WriteTable(TextWriter output, QueueInspection inspection, InspectionSummary summary)
    {
        output.WriteLine($"queue    {inspection.Location}");
        var id = inspection.Id?.ToString("n") ?? "unknown: no header and no reader position can be read; name it with --id";
        output.WriteLine($"id       {id}");
        output.WriteLine(
            Text($"head {summary.Head}  acked {summary.Acked}  durable {summary.Durable}  proven durable {summary.ProvenDurable}"));
        output.WriteLine();
        output.WriteLine(Text($"{"segment",-30} {"bytes",14} {"records",12} {"lost",8} {"damages",8}  begun (UTC)"));
        foreach (var s in summary.Segments)
        {
            var counts = Text($"{s.File,-30} {s.Bytes,14} {s.Records,12} {s.LostRecords,8} {s.Damages,8}");
            output.WriteLine(Text($"{counts}  {s.CreatedAt:yyyy-MM-dd HH:mm:ss}").TrimEnd());
        }
        output.WriteLine();
        output.WriteLine(Text($"{"reader",-30} {"position",14} {"waiting",12}"));
        foreach (var r in inspection.Readers)
        {
            var position = r.Position?.ToString(CultureInfo.InvariantCulture) ?? "unreadable";
            output.WriteLine(Text($"{r.Name,-30} {position,14} {Waiting(summary, r),12}"));
        }
        if (inspection.OtherFiles.Count > 0)
        {
            output.WriteLine();
            output.WriteLine($"not the queue's: {string.Join(", ", inspection.OtherFiles)}");
        }
        output.WriteLine();
        foreach (var damage in summary.Damage)
            output.WriteLine(Line(damage));
        if (summary.Damages > summary.Damage.Count)
            output.WriteLine(Text($"… and {summary.Damages - summary.Damage.Count} more; verify lists them all"));
        output.WriteLine(Verdict(summary));
    }

    public static string Line(InspectedDamage damage)
    {
        var records = damage.Records switch
        {
            0 => "",
            1 => Text($", sequence {damage.FirstSequence}"),
            _ => Text($", sequences {damage.FirstSequence} to {damage.FirstSequence + damage.Records - 1}"),
        };
        var place = Text($"{Kind(damage.Kind)} in {damage.File} at offset {damage.Offset}, {damage.Bytes} bytes");
        return $"damage: {place}{records}. {damage.Explanation}";
    }

    public static string Verdict(InspectionSummary summary)
    {
        var read = Text($"{summary.Records} records in {summary.Segments.Count} segments, {summary.Bytes} bytes");
        if (summary.IsSound)
            return $"sound: {read}";
        return Text($"not sound: {read}; {summary.Damages} damages, {summary.LostRecords} records lost")
            + (summary.TornBytes > 0 ? Text($", {summary.TornBytes} bytes torn at the end") : "");
    }

    public static void WriteJson(TextWriter output, QueueInspection inspection, InspectionSummary summary)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Json))
        {
            json.WriteStartObject();
            json.WriteString("queue", inspection.Location);
            json.WriteString("id", inspection.Id?.ToString("n"));
            json.WriteBoolean("sound", summary.IsSound);
            json.WriteNumber("head", summary.Head);
            json.WriteNumber("acked", summary.Acked);
            json.WriteNumber("durable", summary.Durable);
            json.WriteNumber("proven_durable", summary.ProvenDurable);
            json.WriteNumber("bytes", summary.Bytes);
            json.WriteNumber("records", summary.Records);
            json.WriteNumber("lost_records", summary.LostRecords);
            json.WriteNumber("torn_bytes", summary.TornBytes);
            WriteLists(json, inspection, summary);
            json.WriteEndObject();
        }
        output.WriteLine(Encoding.UTF8.GetString(buffer.GetBuffer().AsSpan(0, (int)buffer.Length)));
    }

    public static void WriteSalvage(TextWriter output, string source, string destination, SalvageReport report)
    {
        foreach (var damage in report.Source.Damage)
            output.WriteLine(Line(damage));
        if (report.Source.Damages > report.Source.Damage.Count)
            output.WriteLine(Text($"… and {report.Source.Damages - report.Source.Damage.Count} more; verify lists them all"));
        output.WriteLine(Text(
            $"salvaged {report.Records} records from sequence {report.FromSequence} on; {report.LostRecords} could not be read"));
        if (report.Acknowledged > 0)
            output.WriteLine(Text($"left out {report.Acknowledged} records that every reader has done with (--from 0 takes them too)"));
        output.WriteLine($"queue {report.SourceId:n} in {source} is as it was; the new one is {report.NewId:n} in {destination}");
        output.WriteLine("To use it: with metricstream stopped, move the old queue folder away and the new one into its place.");
    }

    private static void WriteLists(Utf8JsonWriter json, QueueInspection inspection, InspectionSummary summary)
    {
        json.WriteStartArray("segments");
        foreach (var segment in summary.Segments)
        {
            json.WriteStartObject();
            json.WriteString("file", segment.File);
            json.WriteNumber("base", segment.BaseSequence);
            json.WriteNumber("bytes", segment.Bytes);
            WriteNumberOrNull(json, "created", segment.CreatedAt?.ToUnixTimeMilliseconds());
            json.WriteNumber("records", segment.Records);
            json.WriteNumber("lost_records", segment.LostRecords);
            json.WriteNumber("damages", segment.Damages);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("readers");
        foreach (var reader in inspection.Readers)
        {
            json.WriteStartObject();
            json.WriteString("name", reader.Name);
            WriteNumberOrNull(json, "position", reader.Position);
            json.WriteNumber("waiting", Waiting(summary, reader));
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("other_files");
        foreach (var file in inspection.OtherFiles)
            json.WriteStringValue(file);
        json.WriteEndArray();
        json.WriteNumber("damages", summary.Damages);
        json.WriteStartArray("damage");
        foreach (var damage in summary.Damage)
        {
            json.WriteStartObject();
            json.WriteString("kind", Kind(damage.Kind));
            json.WriteString("file", damage.File);
            json.WriteNumber("offset", damage.Offset);
            json.WriteNumber("bytes", damage.Bytes);
            json.WriteNumber("first_sequence", damage.FirstSequence);
            json.WriteNumber("records", damage.Records);
            json.WriteString("explanation", damage.Explanation);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static long Waiting(InspectionSummary summary, InspectedReader reader) =>
        Math.Max(0, summary.Durable - Math.Max(summary.Head, reader.Position ?? 0));

    private static void WriteNumberOrNull(Utf8JsonWriter json, string name, long? value)
    {
        if (value is { } number)
            json.WriteNumber(name, number);
        else
            json.WriteNull(name);
    }

    private static string Kind(InspectedDamageKind kind) => JsonNamingPolicy.KebabCaseLower.ConvertName(kind.ToString());

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}
