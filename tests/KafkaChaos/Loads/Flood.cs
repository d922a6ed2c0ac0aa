using System.Diagnostics;

namespace KafkaChaos.Loads;

/// <summary>A flood is a number of threads that send a number of records as fast as they get room.</summary>
internal sealed class Flood(Load load, RecordBook book, int threads, int valueBytes)
{
    private const int OutstandingOfAThread = 2_500;

    /// <summary>Sends; returns when every send has its outcome.</summary>
    /// <returns>How long it took.</returns>
    public async Task<TimeSpan> SendAsync(int records)
    {
        var start = Stopwatch.GetTimestamp();
        var ends = Enumerable.Range(0, threads).Select(thread => Run(thread, records / threads)).ToArray();
        await Task.WhenAll(ends);
        return Stopwatch.GetElapsedTime(start);
    }

    private Task Run(int thread, int records)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                var own = Enumerable.Range(0, book.Keys).Where(key => key % threads == thread).ToArray();
                using var room = new SemaphoreSlim(OutstandingOfAThread);
                for (var i = 0; i < records; i++)
                {
                    room.Wait();
                    _ = FreeAsync(load.SendNextAsync(own[i % own.Length], valueBytes), room);
                }
                for (var i = 0; i < OutstandingOfAThread; i++)
                    room.Wait();
                ended.SetResult();
            }
            catch (Exception thrown)
            {
                ended.SetException(thrown);
            }
        })
        {
            IsBackground = true,
            Name = $"flood {thread}",
        }.Start();
        return ended.Task;
    }

    private static async Task FreeAsync(Task send, SemaphoreSlim room)
    {
        await send.ConfigureAwait(false);
        room.Release();
    }
}
