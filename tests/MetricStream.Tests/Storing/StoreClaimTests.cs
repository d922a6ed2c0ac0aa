using System.Text;
using EvenKeel.Kafka.Consuming;
using MetricStream.Queueing;
using MetricStream.Storing;
using Xunit;

namespace MetricStream.Tests.Storing;

/// <summary>Sources that several may own, one after another, and records that come again under their ids, in both stores.</summary>
public sealed class StoreClaimTests : IDisposable
{
    private const string Source = "kafka-topic:metrics:id:0";
    private const string Mine = "ms-0123456789abcdef0123456789abcdef-0011223344556677-";
    private const string Others = "ms-fedcba9876543210fedcba9876543210-0011223344556677-";

    private readonly StoreFolder _folder = new();
    private PostgresPlace? _place;

    public void Dispose()
    {
        _folder.Dispose();
        _place?.Dispose();
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public void A_write_under_a_fence_that_was_passed_is_refused_and_writes_nothing(string kind)
    {
        using var store = Open(kind);
        var zombie = Claim(store, "a");
        var owner = Claim(store, "b");

        Assert.Throws<FencedException>(() => store.Write(Transaction(zombie, Record(0, Mine + "1", "b1"))));
        store.Write(Transaction(owner, Record(0, Mine + "1", "b1")));

        Assert.Equal((1, 2), (zombie.Fence, owner.Fence));
        Assert.Equal(1, store.Counters().Stored);
        Assert.Equal((1, "b"), (store.Account().Positions[Source], store.Account().Owners[Source]));
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public void A_record_before_the_position_is_of_another_log_and_is_refused(string kind)
    {
        using var store = Open(kind);
        var claim = Claim(store, "a");
        store.Write(Transaction(claim, Record(0, Mine + "1", "b1"), Record(1, Mine + "2", "b2")));

        Assert.Throws<FencedException>(() => store.Write(Transaction(claim, Record(0, Mine + "3", "b3"))));

        Assert.Equal(2, store.Counters().Stored);
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public void A_record_that_comes_again_under_its_id_counts_nowhere_and_a_re_send_counts_once(string kind)
    {
        using var store = Open(kind);
        var claim = Claim(store, "a");

        store.Write(Transaction(claim,
            Record(0, Mine + "1", "b1"), Record(1, Mine + "1", "b1"), // an acceptance, sent again by us
            Record(2, Mine + "2", "b1"), Record(3, Mine + "2", "b1"))); // the client's re-send, sent again by us

        var account = store.Account();
        Assert.Equal((1, 1, 2), (account.Counters.Stored, account.Counters.Duplicates, account.Counters.Replays));
        Assert.Equal(2, Assert.Single(account.Acceptances).Count);
        Assert.Equal(2, Assert.Single(store.Clients(10)).Acknowledged);
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public void Acceptances_are_counted_by_the_server_that_made_them(string kind)
    {
        using var store = Open(kind);
        var claim = Claim(store, "a");

        store.Write(Transaction(claim, Record(0, Mine + "1", "b1"), Record(1, Others + "1", "b2"), Record(2, "somebody", "b3")));

        AssertOneAcceptanceEach(store);
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public void What_a_log_held_before_the_store_knew_it_is_nobody_elses_to_count(string kind)
    {
        using var store = Open(kind);
        var claim = store.Claim([new SourceBounds(Source, 0, 2) { HistoryEnd = 2 }], "0123456789abcdef0123456789abcdef")[0];

        store.Write(Transaction(claim, Record(0, Others + "1", "b1"), Record(1, Mine + "1", "b2"), Record(2, Others + "2", "b3")));

        AssertOneAcceptanceEach(store);
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public void A_dead_letter_is_kept_elsewhere_before_anything_is_written_and_is_none_any_more_once_its_record_came_back_and_was_stored(string kind)
    {
        using var store = Open(kind);
        var claim = Claim(store, "a");
        var poison = Transaction(claim, Record(0, Mine + "1", "b1"), Record(1, Mine + "2", "b2", "no body"));

        var due = Assert.Throws<LettersDueException>(() => store.Write(poison));
        Assert.Equal(1, Assert.Single(due.Letters).Record.Position);
        Assert.Equal(0, store.Counters().Stored);

        store.Write(poison with { LettersKept = new HashSet<long> { 1 } });
        Assert.Equal((1, 1), (store.Counters().Stored, store.Counters().DeadLettered));

        // Back under its id: refused again it is still one letter, stored it is none.
        store.Write(Transaction(claim, Record(2, Mine + "2", "b2", "no body")) with { LettersKept = new HashSet<long> { 2 } });
        Assert.Equal((1, 1), (store.Counters().Stored, store.Counters().DeadLettered));
        store.Write(Transaction(claim, Record(3, Mine + "2", "b2")));
        Assert.Equal((2, 0), (store.Counters().Stored, store.Counters().DeadLettered));
        Assert.Equal(2, store.Account().Acceptances.Sum(count => count.Count));
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public void A_claim_begins_at_the_first_record_of_a_new_source_and_tells_what_is_gone_and_what_the_log_has_lost(string kind)
    {
        using var store = Open(kind);

        Assert.Equal((5, 0, 0), Numbers(store.Claim([new SourceBounds(Source, 5, 9)], "a")));
        Assert.Equal((7, 2, 0), Numbers(store.Claim([new SourceBounds(Source, 7, 9)], "a")));
        Assert.Equal((7, 0, 0), Numbers(store.Claim([new SourceBounds(Source, 3, 9)], "a")));
        Assert.Equal((4, 0, 3), Numbers(store.Claim([new SourceBounds(Source, 0, 4)], "a")));
        Assert.Equal(2, store.Account().Counters.Lost);

        static (long, long, long) Numbers(IReadOnlyList<SourceClaim> claims) => (claims[0].Position, claims[0].Lost, claims[0].Rewound);
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public void The_ids_of_duplicates_go_with_the_id_window_and_those_of_dead_letters_stay(string kind)
    {
        using var store = Open(kind);
        var claim = Claim(store, "a");
        store.Write(Transaction(claim,
            Record(0, Mine + "1", "b1"), Record(1, Mine + "2", "b1"), Record(2, Mine + "3", "b2", "no body")) with
        {
            LettersKept = new HashSet<long> { 2 },
        });

        while (store.Expire(0, batchesBefore: 2000, 100).More)
        {
        }

        // The duplicate is a new batch now, the dead letter still the same one.
        store.Write(Transaction(claim, Record(3, Mine + "2", "b1"), Record(4, Mine + "3", "b2")));
        Assert.Equal((3, 1, 0), (store.Counters().Stored, store.Counters().Duplicates, store.Counters().DeadLettered));
    }

    private IMetricStore Open(string kind) => kind == "sqlite" ? _folder.Open() : (_place = PostgresPlace.Take()).Open("a");

    /// <summary>One of this server, one of the other, one of nobody's.</summary>
    private static void AssertOneAcceptanceEach(IMetricStore store) =>
        Assert.Equal(
            [("", 1), ("0123456789abcdef0123456789abcdef", 1), ("fedcba9876543210fedcba9876543210", 1)],
            store.Account().Acceptances.Select(count => (count.Server, (int)count.Count)).Order());

    private static SourceClaim Claim(IMetricStore store, string owner) =>
        store.Claim([new SourceBounds(Source, 0, long.MaxValue)], owner)[0];

    private static StoreTransaction Transaction(in SourceClaim claim, params StoreRecord[] records) =>
        new(Source, records[^1].Position + 1, 0, records) { Fence = claim.Fence };

    private static StoreRecord Record(long position, string id, string batchId, string? body = null)
    {
        var bytes = Encoding.UTF8.GetBytes(body ?? Given.Gauge("cpu", 1, 1000));
        return new StoreRecord(
            position, new BatchRecord(BatchRecordKind.Batch, 1000, 0, "c"u8.ToArray(), Encoding.ASCII.GetBytes(batchId), bytes), bytes)
        {
            Id = Encoding.ASCII.GetBytes(id),
        };
    }
}
