using System.Diagnostics;

namespace EvenKeel.Kafka.Native;

/// <summary>Any request of an admin to a real broker, sent over any client, with its answer.</summary>
internal static unsafe class AdminRequest
{
    private static readonly TimeSpan PollSlice = TimeSpan.FromMilliseconds(100);

    internal delegate void Request(nint client, nint options, nint queue);

    internal delegate T Answer<T>(nint nativeEvent);

    /// <summary>Sends a request and waits for its answer; blocks.</summary>
    public static T Ask<T>(
        ClientHandle client, AdminOperation operation, string doing, TimeSpan wait, Request request, Answer<T> answer,
        CancellationToken cancellation)
    {
        using var queue = EventQueue.New(client);
        Send(client, operation, queue, doing, wait, request);
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            using var result = queue.Poll(PollSlice);
            if (!result.IsNone)
            {
                result.Error.ThrowIfFailed(doing);
                return answer(result.Pointer);
            }

            // librdkafka answers with a time-out of its own at the deadline; a second more, and it never will.
            if (Stopwatch.GetElapsedTime(start) > wait + TimeSpan.FromSeconds(1))
                throw new KafkaException(KafkaErrorCode.TimedOut, $"{doing}: no answer within {wait.TotalSeconds:0.#} s");
        }
    }

    private static void Send(
        ClientHandle client, AdminOperation operation, EventQueue queue, string doing, TimeSpan wait, Request request)
    {
        var text = stackalloc byte[NativeText.ErrorTextBytes];
        text[0] = 0;
        using var use = queue.Use();
        var options = Librdkafka.AdminOptionsNew(use.Client, operation);
        try
        {
            var waitMs = (int)wait.TotalMilliseconds;
            var code = Librdkafka.AdminOptionsSetRequestTimeout(options, waitMs, text, NativeText.ErrorTextBytes);
            if (code == KafkaErrorCode.None && operation is AdminOperation.CreateTopics or AdminOperation.DeleteTopics)
                code = Librdkafka.AdminOptionsSetOperationTimeout(options, waitMs, text, NativeText.ErrorTextBytes);
            if (code != KafkaErrorCode.None)
                throw new KafkaException(code, $"{doing}: a wait of {wait} was refused: {NativeText.Read(text)}");
            request(use.Client, options, queue.Pointer);
        }
        finally
        {
            Librdkafka.AdminOptionsDestroy(options);
        }
    }
}
