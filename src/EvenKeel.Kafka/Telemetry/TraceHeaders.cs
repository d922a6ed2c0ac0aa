using System.Diagnostics;
using System.Text;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Telemetry;

/// <summary>The W3C trace context of a record, in its headers <c>traceparent</c> and <c>tracestate</c>.</summary>
internal static class TraceHeaders
{
    public const string Parent = "traceparent";
    public const string State = "tracestate";

    /// <summary>Whether the record carries a context, which then stays: it may be a record that is sent again.</summary>
    /// <param name="headers">The record's.</param>
    /// <param name="context">The context, if it can be read.</param>
    public static bool TryRead(IReadOnlyList<RecordHeader>? headers, out ActivityContext context)
    {
        context = default;
        string? parent = null, state = null;
        for (var i = 0; i < headers?.Count; i++)
        {
            if (headers[i].Name == Parent)
                parent = Text(headers[i]);
            else if (headers[i].Name == State)
                state = Text(headers[i]);
        }
        if (parent is not null)
            ActivityContext.TryParse(parent, state, isRemote: true, out context);
        return parent is not null;
    }

    /// <summary>The headers with an activity's context behind them; the same list if it has none to pass on.</summary>
    public static IReadOnlyList<RecordHeader>? With(IReadOnlyList<RecordHeader>? headers, Activity? activity)
    {
        if (activity is not { IdFormat: ActivityIdFormat.W3C, Id: { } id })
            return headers;
        var state = activity.TraceStateString;
        var count = headers?.Count ?? 0;
        var all = new RecordHeader[count + (string.IsNullOrEmpty(state) ? 1 : 2)];
        for (var i = 0; i < count; i++)
            all[i] = headers![i];
        all[count] = RecordHeader.Of(Parent, id);
        if (!string.IsNullOrEmpty(state))
            all[count + 1] = RecordHeader.Of(State, state);
        return all;
    }

    private static string Text(RecordHeader header) => Encoding.UTF8.GetString(header.Value.GetValueOrDefault().Span);
}
