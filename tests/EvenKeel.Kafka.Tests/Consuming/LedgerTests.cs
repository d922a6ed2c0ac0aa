using EvenKeel.Kafka.Consuming;
using Xunit;

namespace EvenKeel.Kafka.Tests.Consuming;

public sealed class LedgerTests
{
    private readonly PartitionLedger _ledger = new(new TopicPartition("t", 0), 0);

    [Fact]
    public void Only_what_lies_before_the_first_record_that_is_not_done_may_be_committed()
    {
        var places = Take(10, 11, 12, 13);
        Assert.Equal(PartitionLedger.None, _ledger.Committable);

        Done(places[1], places[2]);
        Assert.Equal(PartitionLedger.None, _ledger.Committable);
        Assert.Equal(13, _ledger.HighestDone);

        Done(places[0]);
        Assert.Equal(13, _ledger.Committable);

        Done(places[3]);
        Assert.Equal((14, 0), (_ledger.Committable, _ledger.InHand));
    }

    [Fact]
    public void Offsets_that_never_come_do_not_stall_it()
    {
        var places = Take(5, 9, 1000, 1002);

        Done(places[0], places[1]);
        Assert.Equal(10, _ledger.Committable);
        Done(places[3]);
        Assert.Equal(10, _ledger.Committable);
        Done(places[2]);
        Assert.Equal(1003, _ledger.Committable);
    }

    [Fact]
    public void What_was_begun_and_given_up_is_never_committed_over()
    {
        var places = Take(0, 1, 2);
        Done(places[0], places[2]);
        Assert.True(places[1].Page.TryMove(places[1].Index, EntryState.Queued, EntryState.Started));
        places[1].Page.Move(places[1].Index, EntryState.GivenUp);
        _ledger.Settle();

        Assert.Equal(1, _ledger.Committable);
    }

    [Fact]
    public void Closing_gives_up_what_lies_behind_the_last_record_begun_and_nothing_before_it()
    {
        var places = Take(0, 1, 2, 3, 4, 5);
        Done(places[1]);
        Assert.True(places[3].Page.TryMove(places[3].Index, EntryState.Queued, EntryState.Started));

        _ledger.Close();

        Assert.Equal(
            [EntryState.Queued, EntryState.Done, EntryState.Queued, EntryState.Started, EntryState.GivenUp, EntryState.GivenUp],
            places.Select(place => place.Page.StateOf(place.Index)));
        Assert.Equal(3, _ledger.Unfinished());
        Assert.False(_ledger.IsOpen);
        Done(places[0], places[2], places[3]);
        Assert.Equal((4, 0), (_ledger.Committable, _ledger.Unfinished()));
    }

    [Fact]
    public void Abandoning_gives_up_what_is_not_begun_and_tells_the_handlers_that_run()
    {
        var places = Take(0, 1, 2);
        Assert.True(places[0].Page.TryMove(places[0].Index, EntryState.Queued, EntryState.Started));

        _ledger.Abandon();

        Assert.True(_ledger.Abandoned.IsCancellationRequested);
        Assert.Equal(0, _ledger.Unfinished());
        Assert.False(places[1].Page.TryMove(places[1].Index, EntryState.Queued, EntryState.Started));
    }

    [Fact]
    public void A_record_that_comes_twice_is_known_and_one_of_a_log_that_was_cut_is_new()
    {
        _ledger.Take(7, leaderEpoch: 3, message: 0, bytes: 1);

        Assert.False(_ledger.IsNew(7, 3));
        Assert.True(_ledger.IsNew(8, 3));
        Assert.True(_ledger.IsNew(6, 4));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20261121)]
    public void Whatever_the_order_of_the_work_it_never_commits_over_an_open_record_and_ends_complete(int seed)
    {
        var random = new Random(seed);
        var open = new List<(LedgerPlace Place, long Offset)>();
        var (next, last) = (0L, -1L);
        for (var step = 0; step < 50_000; step++)
        {
            if (random.Next(2) == 0 && open.Count < 2000)
            {
                next += random.Next(4) == 0 ? random.Next(1, 50) : 1;
                last = next;
                open.Add((_ledger.Take(next, 0, 0, 1), next));
            }
            else if (open.Count > 0)
            {
                // Mostly the oldest, so that pages are used again.
                var index = random.Next(3) == 0 ? random.Next(open.Count) : 0;
                open[index].Place.Page.Move(open[index].Place.Index, EntryState.Done);
                open.RemoveAt(index);
            }
            _ledger.Settle();
            var firstOpen = open.Count == 0 ? last : open.Min(entry => entry.Offset) - 1;
            Assert.True(_ledger.Committable <= firstOpen + 1, $"SEED={seed}, step {step}: {_ledger.Committable} over {firstOpen}");
        }
        Done([.. open.Select(entry => entry.Place)]);
        Assert.Equal((last + 1, 0), (_ledger.Committable, _ledger.InHand));
    }

    private List<LedgerPlace> Take(params long[] offsets) => [.. offsets.Select(offset => _ledger.Take(offset, 0, 0, 1))];

    private void Done(params LedgerPlace[] places)
    {
        foreach (var place in places)
            place.Page.Move(place.Index, EntryState.Done);
        _ledger.Settle();
    }
}
