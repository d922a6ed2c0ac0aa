using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using EvenKeel.Queue;
using EvenKeel.Queue.Inspection;

namespace MetricStream.Queueing;

/// <summary>The export cannot be written to where it was asked for.</summary>
internal sealed class QueueExportException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Writes a queue as JSON lines, one a record, in constant memory. What is no batch has its line too: a re-send says so, and a record
/// that this program cannot read is given as it is, in base64. Damage has no line: it goes to the error writer.
/// </summary>
internal sealed class QueueCommandExport(QueueInspection inspection, TextWriter error)
{
    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ArrayBufferWriter<byte> _line = new();
    private readonly ArrayBufferWriter<byte> _compact = new();
    private long _damages;
    private long _unreadable;

    public bool IsSound => _damages == 0;

    /// <summary>Writes to a file that must not exist.</summary>
    public void WriteTo(string path)
    {
        var full = Path.GetFullPath(path);
        if (Path.GetDirectoryName(full) == Path.TrimEndingDirectorySeparator(inspection.Location))
            throw new QueueExportException(
                $"--out '{full}' lies in the folder of the queue, which is not to be changed. Name a file elsewhere.");
        try
        {
            using var file = new FileStream(full, FileMode.CreateNew, FileAccess.Write, FileShare.Read, 1 << 16);
            WriteLines(file.Write);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            throw new QueueExportException(
                $"--out '{full}' cannot be written: {refused.Message} Name a file that does not exist, on a disk with room.", refused);
        }
    }

    public void WriteTo(TextWriter output)
    {
        // The console's writer would decode, encode and flush every line.
        using var console = ReferenceEquals(output, Console.Out) ? new BufferedStream(Console.OpenStandardOutput(), 1 << 16) : null;
        WriteLines(console is null ? line => output.Write(Encoding.UTF8.GetString(line)) : console.Write);
    }

    private void WriteLines(Action<ReadOnlySpan<byte>> write)
    {
        foreach (var finding in inspection.Read())
        {
            if (finding.Damage is { } damage)
            {
                _damages++;
                error.WriteLine(QueueCommandReport.Line(damage));
            }
            else if (finding.Record is { } record)
            {
                WriteLine(record);
                write(_line.WrittenSpan);
            }
        }
        if (_unreadable > 0)
            error.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{_unreadable} sound records are not of a form this program knows; their lines say \"unreadable\""));
    }

    private void WriteLine(QueueRecord record)
    {
        _line.ResetWrittenCount();
        using (var json = new Utf8JsonWriter(_line, Json))
        {
            json.WriteStartObject();
            json.WriteNumber("sequence", record.Sequence);
            if (BatchRecord.TryRead(record.Payload, out var batch))
                WriteBatch(json, batch);
            else
                WriteUnreadable(json, "no batch record of a version this program knows", record.Payload.Span);
            json.WriteEndObject();
        }
        _line.Write("\n"u8);
    }

    private void WriteBatch(Utf8JsonWriter json, BatchRecord batch)
    {
        json.WriteString("client", batch.ClientId.Span);
        json.WriteString("batch_id", batch.BatchId.Span);
        json.WriteNumber("arrived", batch.ArrivedUnixMs);
        if (batch.Kind == BatchRecordKind.Resend)
        {
            json.WriteBoolean("resend", true);
            return;
        }
        if (Find(batch.Body.Span) is not { Metrics: { } metrics } members)
        {
            WriteUnreadable(json, "the body is no batch of metrics in JSON", batch.Body.Span);
            return;
        }
        json.WritePropertyName("metrics");
        json.WriteRawValue(Compact(batch.Body.Span[metrics]));
        if (members.Timestamp is { } timestamp)
        {
            json.WritePropertyName("batch_timestamp");
            json.WriteRawValue(batch.Body.Span[timestamp]);
        }
    }

    private void WriteUnreadable(Utf8JsonWriter json, string reason, ReadOnlySpan<byte> bytes)
    {
        _unreadable++;
        json.WriteString("unreadable", reason);
        json.WriteBase64String("base64", bytes);
    }

    /// <summary>Where the metrics and the batch's timestamp lie in a body; null when it is no JSON object.</summary>
    private static (Range? Metrics, Range? Timestamp)? Find(ReadOnlySpan<byte> body)
    {
        try
        {
            var json = new Utf8JsonReader(body, BatchMembers.JsonOptions);
            if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
                return null;
            Range? metrics = null, timestamp = null;
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                var member = BatchMembers.OfBatch(ref json);
                json.Read();
                var (start, isArray) = ((int)json.TokenStartIndex, json.TokenType == JsonTokenType.StartArray);
                json.Skip();
                if (member == BatchMember.Metrics && isArray)
                    metrics = start..(int)json.BytesConsumed;
                else if (member == BatchMember.BatchTimestamp)
                    timestamp = start..(int)json.BytesConsumed;
            }
            return (metrics, timestamp);
        }
        catch (JsonException)
        {
            return null; // The caller shows the bytes as they are.
        }
    }

    /// <summary>The same JSON without white space between its tokens: it has to fit into one line, and nothing else of it may
    /// change.</summary>
    private ReadOnlySpan<byte> Compact(ReadOnlySpan<byte> json)
    {
        _compact.ResetWrittenCount();
        var target = _compact.GetSpan(json.Length);
        var (length, inString) = (0, false);
        for (var i = 0; i < json.Length; i++)
        {
            var character = json[i];
            if (!inString && character is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
                continue;
            target[length++] = character;
            if (character == (byte)'"')
                inString = !inString;
            else if (inString && character == (byte)'\\')
                target[length++] = json[++i];
        }
        return target[..length];
    }
}
