using EvenKeel.Testing.Isolation;
using EvenKeel.Testing.Synchronization;
using EvenKeel.Testing.Tests.Workers;
using EvenKeel.Testing.Workers;
using Xunit;
using static EvenKeel.Testing.Tests.Workers.Runs;

namespace EvenKeel.Testing.Tests.Isolation;

public sealed class ResourceGateTests : IAsyncLifetime
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(50);
    private readonly Runs _runs = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _runs.DisposeAsync();

    [Fact]
    public async Task A_writer_waits_for_readers_and_holds_back_those_behind_it()
    {
        await using var run = _runs.Start();
        var first = await run.Gates.EnterAsync([Read("a")], "first", Long, Cancellation);
        var second = await run.Gates.EnterAsync([Read("a")], "second", Long, Cancellation);
        var writer = run.Gates.EnterAsync([Write("a")], "writer", Long, Cancellation);
        var third = run.Gates.EnterAsync([Read("a")], "third", Long, Cancellation);
        first.Dispose();
        Assert.False(writer.IsCompleted || third.IsCompleted);

        second.Dispose();
        var held = await writer;
        Assert.False(third.IsCompleted);
        held.Dispose();
        (await third).Dispose();
    }

    [Fact]
    public async Task A_wait_that_is_too_long_names_who_has_it_and_lets_the_others_pass()
    {
        await using var run = _runs.Start();
        using var reader = await run.Gates.EnterAsync([Read("a")], "the reader", Long, Cancellation);

        var refusal = await Assert.ThrowsAsync<TimeoutException>(() => run.Gates.EnterAsync([Write("b"), Write("a")], "the writer", Short, Cancellation));

        Assert.Contains("'the writer' did not get 'a'", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("the reader", refusal.Message, StringComparison.Ordinal);
        using var another = await run.Gates.EnterAsync([Read("a"), Write("b")], "another", Short, Cancellation);
        using var stop = new CancellationTokenSource();
        var cancelled = run.Gates.EnterAsync([Write("a")], "cancelled", Long, stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        (await run.Gates.EnterAsync([Read("a")], "the last", Short, Cancellation)).Dispose();
    }

    [Fact]
    public async Task Tests_that_claim_the_same_resources_in_opposite_orders_never_wait_for_each_other()
    {
        await using var run = _runs.Start();
        var first = await run.Gates.EnterAsync([Write("a")], "the first", Long, Cancellation);
        var waiting = run.Gates.EnterAsync([Write("b"), Write("a")], "who waits for a", Long, Cancellation);
        (await run.Gates.EnterAsync([Write("b")], "who needs b alone", Short, Cancellation)).Dispose();
        first.Dispose();
        (await waiting).Dispose();

        async Task TakeAsync(ResourceClaim[] claims, string holder)
        {
            for (var i = 0; i < 200; i++)
            {
                using var held = await run.Gates.EnterAsync(claims, holder, Long, Cancellation);
                await Task.Yield();
            }
        }

        await Task.WhenAll(
            Task.Run(() => TakeAsync([Write("a"), Write("b")], "one"), Cancellation),
            Task.Run(() => TakeAsync([Write("b"), Write("a")], "two"), Cancellation),
            Task.Run(() => TakeAsync([Read("b"), Read("a"), Write("c")], "three"), Cancellation));
    }

    [Fact]
    public async Task A_claim_across_processes_holds_against_another_run_and_a_plain_one_does_not()
    {
        await using var here = _runs.Start();
        await using var there = _runs.Start();
        var across = new ResourceClaim("a", Access.Write, AcrossProcesses: true);
        var reading = across with { Access = Access.Read };
        using (await here.Gates.EnterAsync([across], "here", Long, Cancellation))
        {
            var refusal = await Assert.ThrowsAsync<TimeoutException>(() => there.Gates.EnterAsync([reading], "there", Short, Cancellation));
            Assert.Contains("another process has it", refusal.Message, StringComparison.Ordinal);
            (await there.Gates.EnterAsync([Write("a")], "there", Short, Cancellation)).Dispose();
        }
        using var one = await here.Gates.EnterAsync([reading], "here", Short, Cancellation);
        using var two = await there.Gates.EnterAsync([reading], "there", Short, Cancellation);
    }

    [Fact]
    public async Task A_writer_across_processes_that_waits_for_readers_lets_no_new_ones_in()
    {
        await using var one = _runs.Start();
        await using var two = _runs.Start();
        await using var three = _runs.Start();
        var writing = new ResourceClaim("a", Access.Write, AcrossProcesses: true);
        var reading = writing with { Access = Access.Read };
        var reader = await one.Gates.EnterAsync([reading], "the reader", Long, Cancellation);
        var writer = two.Gates.EnterAsync([writing], "the writer", Long, Cancellation);
        await WaitFor.ConditionAsync(() => IsHeld(Directory.EnumerateFiles(_runs.Folder, "resource-*-door.lock")), "the writer at the door");

        await Assert.ThrowsAsync<TimeoutException>(() => three.Gates.EnterAsync([reading], "who comes later", Short, Cancellation));

        reader.Dispose();
        (await writer).Dispose();
        (await three.Gates.EnterAsync([reading], "who comes later", Long, Cancellation)).Dispose();

        static bool IsHeld(IEnumerable<string> files)
        {
            foreach (var file in files)
            {
                using var lease = LeaseFile.TryTake(file);
                if (lease is null)
                    return true;
            }
            return false;
        }
    }

    private static ResourceClaim Read(string resource) => new(resource, Access.Read);

    private static ResourceClaim Write(string resource) => new(resource, Access.Write);
}
