using System.Collections.Concurrent;
using System.Text;
using EvenKeel.Queue;
using EvenKeel.Queue.Storage;
using Xunit;

namespace Simulation;

/// <summary>The queue on a real disk with its own thread, used from many.</summary>
public sealed class ThreadTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("evenkeel-queue-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Sixteen_appenders_and_two_readers_lose_nothing_when_the_queue_is_closed_under_them()
    {
        var options = new DurableQueueOptions { Directory = _folder, SegmentBytes = 32 << 10, MaxBytes = 1 << 30, MaxPendingBytes = 8 << 10 };
        var kept = new ConcurrentDictionary<long, string>();
        var outcomes = new int[16];
        var queue = DurableQueue.Open(options);
        using (queue.OpenReader("audit"))
        {
        }
        var appenders = Enumerable.Range(0, 16).Select(a => Task.Run(async () =>
        {
            for (var n = 0; ; n++)
            {
                var text = $"{a}:{n}:" + new string('x', n * 31 % 900);
                try
                {
                    LogModel.Require(kept.TryAdd(await queue.AppendAsync(Encoding.UTF8.GetBytes(text)), text), "a sequence was given twice");
                }
                catch (QueueRefusedException refused) when (refused.Reason == QueueRefusal.Closed)
                {
                    return;
                }
                finally
                {
                    outcomes[a]++;
                }
            }
        })).ToList();
        var readers = new[] { "one", "two" }.Select(name => Task.Run(async () =>
        {
            using var reader = queue.OpenReader(name);
            var next = reader.Position;
            try
            {
                while (await reader.ReadAsync(50, 1 << 16) is { } batch)
                {
                    LogModel.Require(batch.Quarantined == 0 && batch.Records[0].Sequence == next, $"{name} expects {next}");
                    reader.Acknowledge(next = batch.NextPosition);
                }
            }
            catch (Exception ended) when (ended is QueueRefusedException { Reason: QueueRefusal.Closed } or ObjectDisposedException)
            {
                return next;
            }
            return next;
        })).ToList();
        string State() => $"{kept.Count} kept, outcomes {string.Join(' ', outcomes)}, {queue.Durable} of {queue.Tail} durable, fault {queue.Fault?.Message}";
        await Deadline.Until(() => kept.Count > 4_000, State);
        await Deadline.Of(queue.DisposeAsync().AsTask(), State);
        await Deadline.Of(Task.WhenAll(Task.WhenAll(appenders), Task.WhenAll(readers)), State);

        using var again = DurableQueue.Open(options);
        using var audit = again.OpenReader("audit");
        var read = new List<string>();
        while (audit.TryRead(1000, 1 << 20) is { } batch)
        {
            Assert.Equal(0, batch.Quarantined);
            read.AddRange(batch.Records.Select(r => Encoding.UTF8.GetString(r.Payload.Span)));
        }
        Assert.Equal(kept.Count, read.Count);
        Assert.All(kept, k => Assert.Equal(k.Value, read[(int)k.Key]));
        for (var a = 0; a < 16; a++) // In each appender's order.
            Assert.Equal(Enumerable.Range(0, outcomes[a] - 1),
                read.Where(r => r.StartsWith($"{a}:", StringComparison.Ordinal)).Select(r => int.Parse(r.Split(':')[1], null)));
    }

    [Fact]
    public async Task A_continuation_that_blocks_on_another_append_holds_up_no_other()
    {
        using var queue = DurableQueue.Open(new DurableQueueOptions { Directory = _folder });
        var blocking = Enumerable.Range(0, 8).Select(async _ =>
        {
            await queue.AppendAsync("first"u8).ConfigureAwait(false);
            using var done = new ManualResetEventSlim();
            var second = queue.AppendAsync("second"u8).AsTask().ContinueWith(_ => done.Set(), TaskContinuationOptions.ExecuteSynchronously);
            done.Wait(TestContext.Current.CancellationToken); // On the very thread that resumed the first.
            await second;
        }).ToList();
        await Deadline.Of(Task.WhenAll(blocking), () => $"{blocking.Count(b => b.IsCompleted)} of 8 went on, {queue.Durable} durable");
        Assert.Equal(16, queue.Durable);
    }

    [Fact]
    public async Task A_reader_that_waits_is_refused_when_the_queue_is_closed()
    {
        var queue = DurableQueue.Open(new DurableQueueOptions { Directory = _folder });
        using var reader = queue.OpenReader("r");
        var waiting = reader.ReadAsync(1, 1, TestContext.Current.CancellationToken).AsTask();
        await queue.DisposeAsync();
        await Deadline.Of(Task.WhenAny(waiting), () => "the reader still waits");
        Assert.Equal(QueueRefusal.Closed, (await Assert.ThrowsAsync<QueueRefusedException>(() => waiting)).Reason);
        Assert.Equal(QueueRefusal.Closed, (await Assert.ThrowsAsync<QueueRefusedException>(() => queue.AppendAsync([1]).AsTask())).Reason);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)] // Not an I/O error but a bug: nobody may wait for ever either.
    public async Task A_fault_refuses_every_append_and_the_reader_that_waits_and_closing_still_ends(bool isDiskError)
    {
        var storage = new FailingStorage(new FileStorage(_folder, create: true),
            isDiskError ? () => new IOException("broken") : () => new InvalidCastException("bug"));
        var queue = DurableQueue.Open(new DurableQueueOptions { Directory = _folder }, storage, TimeProvider.System, ownThread: true);
        using var reader = queue.OpenReader("r");
        var waiting = reader.ReadAsync(1, 1, TestContext.Current.CancellationToken).AsTask();
        storage.Fails = true;
        var appends = Enumerable.Range(0, 50).Select(_ => Task.Run(() => queue.AppendAsync([1, 2, 3]).AsTask())).Append(waiting as Task).ToList();
        await Deadline.Of(Task.WhenAll(appends.Select(a => Task.WhenAny(a))), () => $"{appends.Count(a => !a.IsCompleted)} without an outcome");
        Assert.All(appends, a => Assert.Equal(QueueRefusal.Faulted,
            Assert.IsType<QueueRefusedException>(a.Exception!.InnerException).Reason));
        Assert.Equal(QueueRefusal.Faulted, (await Assert.ThrowsAsync<QueueRefusedException>(() => queue.AppendAsync([1]).AsTask())).Reason);
        Assert.Equal(0, queue.Durable);
        await Deadline.Of(queue.DisposeAsync().AsTask(), () => "closing does not end");
        storage.Fails = false;
        using var again = DurableQueue.Open(new DurableQueueOptions { Directory = _folder });
        Assert.Equal(again.Durable, await again.AppendAsync([4]));
    }

    /// <summary>A real folder whose fsync of files fails on demand.</summary>
    private sealed class FailingStorage(IQueueStorage inner, Func<Exception> error) : IQueueStorage
    {
        public volatile bool Fails;

        public string Location => inner.Location;

        public IReadOnlyList<StoredFile> List() => inner.List();

        public IQueueFile Open(string name) => new FailingFile(this, inner.Open(name));

        public IQueueFile Create(string name) => new FailingFile(this, inner.Create(name));

        public void Delete(string name) => inner.Delete(name);

        public void SyncDirectory() => inner.SyncDirectory();

        public IDisposable? TryLock(string name) => inner.TryLock(name);

        private sealed class FailingFile(FailingStorage storage, IQueueFile file) : IQueueFile
        {
            public long Length => file.Length;

            public int Read(Span<byte> destination, long offset) => file.Read(destination, offset);

            public void Write(ReadOnlySpan<byte> source, long offset) => file.Write(source, offset);

            public void Sync()
            {
                if (storage.Fails)
                    throw storage.Error();
                file.Sync();
            }

            public void SetLength(long length) => file.SetLength(length);

            public void Dispose() => file.Dispose();
        }

        private Exception Error() => error();
    }
}
