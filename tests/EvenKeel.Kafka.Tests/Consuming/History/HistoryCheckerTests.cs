using Xunit;

namespace EvenKeel.Kafka.Tests.Consuming.History;

public sealed class HistoryCheckerTests
{
    private static readonly Written[] Three = [new("t", 0, 0, "a"), new("t", 0, 1, "b"), new("t", 0, 2, "a")];

    [Fact]
    public void A_history_of_redelivery_after_a_crash_shows_nothing()
    {
        Handled[] handled = [Done(1, "one", 0), Done(2, "one", 2), Done(3, "two", 0), Done(4, "two", 1), Done(5, "two", 2)];
        Committed[] committed = [Commit(2, "one", 1), Commit(6, "two", 3)];

        Assert.Empty(HistoryChecker.Check(Three, handled, committed));
    }

    [Fact]
    public void A_record_that_nobody_handled_is_lost_and_skipped_once_it_is_committed_over()
    {
        Handled[] handled = [Done(1, "one", 0), Done(2, "one", 2)];

        Assert.Equal([Anomaly.Lost], Kinds(handled, []));
        Assert.Equal([Anomaly.Lost, Anomaly.Skipped, Anomaly.CommittedUnprocessed], Kinds(handled, [Commit(3, "one", 3)]));
    }

    [Fact]
    public void A_record_handled_twice_under_one_assignment_is_duplicated() =>
        Assert.Equal(
            [Anomaly.Duplicated], Kinds([Done(1, "one", 0), Done(2, "one", 1), Done(3, "one", 2), Done(4, "one", 1)], []));

    [Fact]
    public void A_key_whose_later_record_is_handled_first_is_reordered() =>
        Assert.Equal([Anomaly.Reordered], Kinds([Done(1, "one", 2), Done(2, "one", 0), Done(3, "one", 1)], []));

    [Fact]
    public void A_commit_before_the_work_is_found_although_the_work_follows() =>
        Assert.Equal(
            [Anomaly.CommittedUnprocessed],
            Kinds([Done(1, "one", 0), Done(3, "one", 1), Done(4, "one", 2)], [Commit(2, "one", 2)]));

    [Fact]
    public void A_commit_after_a_loss_is_found() =>
        Assert.Equal(
            [Anomaly.CommittedAfterLoss],
            Kinds(
                [Done(1, "one", 0), Done(2, "one", 1), Done(3, "one", 2)], [Commit(4, "one", 3) with { IsLost = true }]));

    private static Handled Done(long time, string assignment, long offset) => new(time, assignment, "t", 0, offset);

    private static Committed Commit(long time, string assignment, long offset) => new(time, assignment, "t", 0, offset, IsLost: false);

    private static IEnumerable<Anomaly> Kinds(Handled[] handled, Committed[] committed) =>
        HistoryChecker.Check(Three, handled, committed).Select(finding => finding.Anomaly);
}
