using System.Diagnostics.CodeAnalysis;
using System.Text;
using EvenKeel.Kafka;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Testing.Topics;

/// <summary>
/// The fetch thread serves one test consumer's native queue for as long as that lives: records into the inbox, rebalances answered, what
/// the client says noted for whoever waits in vain.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "Stop disposes of the event, once the thread is gone.")]
internal sealed class FetchThread
{
    private static readonly TimeSpan PollWait = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan RoomWait = TimeSpan.FromMilliseconds(5);

    private readonly string _topic;
    private readonly ClientHandle _client;
    private readonly EventQueue _queue;
    private readonly RecordInbox _inbox;
    private readonly ManualResetEventSlim _stop = new();
    private readonly Thread _thread;

    // Completes with the group's first assignment; a consumer that assigns by itself never looks.
    private readonly TaskCompletionSource _joined = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public FetchThread(string topic, ClientHandle client, RecordInbox inbox)
    {
        _topic = topic;
        _client = client;
        _queue = EventQueue.Consumer(client);
        _inbox = inbox;
        _thread = new Thread(Run) { IsBackground = true, Name = $"fetch {topic}" };
        _thread.Start();
    }

    public Task Joined => _joined.Task;

    /// <summary>Ends the loop and waits until it has left the native client.</summary>
    public void Stop()
    {
        _stop.Set();
        _queue.Wake();
        _thread.Join();
        _stop.Dispose();
    }

    private void Run()
    {
        while (!_stop.IsSet)
        {
            if (_inbox.IsFull)
                _stop.Wait(RoomWait);
            else
                TakeNext();
        }
    }

    private unsafe void TakeNext()
    {
        using var next = _queue.Poll(PollWait);
        switch (next.Kind)
        {
            case EventKinds.Fetch:
                var message = next.TakeMessage();
                if (message is not null && message->Error == KafkaErrorCode.None)
                    _inbox.Add(Copy(message));
                else if (message is not null)
                    _inbox.Note($"[{message->Partition}]: {message->Error.Describe()}");
                break;
            case EventKinds.Rebalance:
                Answer(next.Error, next.Partitions);
                break;
            case EventKinds.Error when next.Error == KafkaErrorCode.PartitionEnd:
                var end = next.Partition;
                if (end is not null)
                {
                    _inbox.Reach(end->Partition, end->Offset);
                    Librdkafka.PartitionDestroy(end);
                }
                break;
            case EventKinds.Error:
                _inbox.Note($"{next.Error.Describe()}: {next.ErrorText}");
                break;
            case EventKinds.Log:
                var (level, _, text) = next.Log;
                if (level <= 4)
                    _inbox.Note(text);
                break;
        }
    }

    private unsafe void Answer(KafkaErrorCode what, NativePartitionList* partitions)
    {
        if (what != KafkaErrorCode.AssignPartitions)
        {
            _client.Assign((NativePartitionList*)null);
            return;
        }
        for (var i = 0; i < partitions->Count; i++)
        {
            ref var partition = ref partitions->Elements[i];
            partition.Offset = _inbox.NextOf(partition.Partition) ?? SpecialOffset.End;
        }
        _client.Assign(partitions);
        _joined.TrySetResult();
    }

    private unsafe TestRecord Copy(NativeMessage* message)
    {
        int kind;
        var headers = MessageHeaders.Of(message);
        var copies = headers.Count == 0 ? [] : new RecordHeader[headers.Count];
        for (var i = 0; i < copies.Length; i++)
        {
            var hasValue = headers.Read(i, out var name, out var value);
            var copy = hasValue ? value.ToArray() : (ReadOnlyMemory<byte>?)null;
            copies[i] = new RecordHeader(Encoding.UTF8.GetString(name), copy);
        }
        return new TestRecord
        {
            Topic = _topic,
            Partition = message->Partition,
            Offset = message->Offset,
            TimestampMs = Librdkafka.MessageTimestamp(message, &kind),
            KeyBytes = Bytes(message->Key, message->KeySize),
            ValueBytes = Bytes(message->Value, message->ValueSize),
            Headers = copies,
        };
    }

    // Without the cast null would become an empty array, and a tombstone a record with an empty value.
    private static unsafe ReadOnlyMemory<byte>? Bytes(byte* start, nuint size) =>
        start is null ? (ReadOnlyMemory<byte>?)null : new ReadOnlySpan<byte>(start, (int)size).ToArray();
}
