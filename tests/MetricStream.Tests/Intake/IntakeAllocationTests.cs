using System.Diagnostics;
using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Text;
using MetricStream.Intake;
using MetricStream.Queueing;
using Xunit;

namespace MetricStream.Tests.Intake;

/// <summary>Allocations are counted for the whole process, so nothing else may run meanwhile.</summary>
[CollectionDefinition(nameof(IntakeAllocationTests), DisableParallelization = true)]
public sealed class Alone;

[Collection(nameof(IntakeAllocationTests))]
public sealed class IntakeAllocationTests
{
    private const int Requests = 5_000;

    [Fact]
    public async Task An_accepted_batch_costs_less_than_1_KB_of_allocations_with_Kestrels_part_included()
    {
        await using var server = await IntakeServer.StartAsync(other: new SuspendingQueue());
        var body = ExtremeBodies.Metrics(3);
        var request = Encoding.ASCII.GetBytes(
            $"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Client-Id: c\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        var answer = new byte[4096];
        using var raw = await server.ConnectAsync();
        await PostAsync(raw, request, answer, Requests);

        var started = Stopwatch.GetTimestamp();
        var before = GC.GetTotalAllocatedBytes(precise: true);
        await PostAsync(raw, request, answer, Requests);
        var each = (GC.GetTotalAllocatedBytes(precise: true) - before) / Requests;
        TestContext.Current.TestOutputHelper?.WriteLine($"{each} B and {Stopwatch.GetElapsedTime(started).TotalMicroseconds / Requests:F1} µs a request");
        Assert.InRange(each, 0, 1024);
        Assert.StartsWith("HTTP/1.1 200 OK", Encoding.ASCII.GetString(answer), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_gzip_bomb_is_413_without_taking_its_memory()
    {
        await using var server = await IntakeServer.StartAsync(new IntakeOptions { MaxBodyBytes = 1024 * 1024 });
        using var packed = new MemoryStream();
        await using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            var zeros = new byte[1024 * 1024];
            for (var i = 0; i < 512; i++)
                await gzip.WriteAsync(zeros, TestContext.Current.CancellationToken);
        }

        var before = GC.GetTotalAllocatedBytes();
        var answer = await server.PostAsync(packed.ToArray(), "application/json", ("Content-Encoding", "gzip"));
        Assert.Equal(413, answer.Status);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 32 * 1024 * 1024);
    }

    private static async Task PostAsync(RawConnection raw, byte[] request, byte[] answer, int times)
    {
        for (var i = 0; i < times; i++)
        {
            await raw.SendOnceAsync(request);
            await raw.ReadOnceAsync(answer);
        }
    }

    /// <summary>A queue that keeps nothing but completes later, as one that waits for a disk does.</summary>
    private sealed class SuspendingQueue : IBatchQueue
    {
        public ValueTask<long> AppendAsync(ReadOnlySpan<byte> header, ReadOnlySpan<byte> body, string? traceParent) => LaterAsync();

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        private static async ValueTask<long> LaterAsync()
        {
            await Task.Yield();
            return 0;
        }
    }
}
