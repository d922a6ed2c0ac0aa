using System.Text;
using MetricStream.Storing;
using Xunit;

namespace MetricStream.Tests.Storing;

public sealed class StoreWriteTests : IDisposable
{
    private readonly StoreFolder _folder = new();
    private readonly SqliteMetricStore _store;

    public StoreWriteTests() => _store = _folder.Open();

    [Fact]
    public void A_batch_is_stored_with_its_samples_its_counters_and_the_position_and_survives_a_restart()
    {
        var body = """{"metrics":[{"name":"cpu","type":"gauge","value":1.50,"timestamp":5,"tags":{"b":"2","a":"1"}}]}""";
        Assert.Equal(new StoreReceipt(1, 0, 0), _store.Write(Given.Transaction(Given.Batch(7, "web", "id-1", body))));
        _store.Dispose();

        using var store = _folder.Open();
        Assert.Equal(8, store.Position(Given.Source));
        Assert.Equal(0, store.Position("file:other"));
        Assert.Equal(new StoreCounters(1, 0, 0, 0, 0), store.Counters());
        Assert.Equal([new ClientCounters("web", 1, 0, 1000)], store.Clients(10));
        var series = Assert.Single(store.Series(Given.Everything, TestContext.Current.CancellationToken));
        Assert.Equal(("cpu", "gauge", 5L, 5L, 1L), (series.Name, series.Type, series.First, series.Last, series.Samples));
        Assert.Equal([new("a", "1"), new("b", "2")], series.Tags);
        Assert.Equal([new SamplePoint(5, 1.5)], Given.Points(store, "cpu"));
        Assert.Equal(body, Encoding.UTF8.GetString(store.Find("web"u8, "id-1"u8)!.Body.Span));
        Assert.Null(store.Find("web"u8, "id-2"u8));
        Assert.Null(store.Find("other"u8, "id-1"u8));
    }

    [Fact]
    public void The_same_id_with_the_same_body_is_a_duplicate_in_the_same_transaction_and_in_a_later_one()
    {
        var body = Given.Gauge("cpu", 1, 5);
        var first = _store.Write(Given.Transaction(Given.Batch(0, "web", "id", body), Given.Batch(1, "web", "id", body)));
        var second = _store.Write(Given.Transaction(Given.Batch(2, "web", "id", body), Given.Batch(3, "api", "id", body)));

        Assert.Equal(new StoreReceipt(1, 1, 0), first);
        Assert.Equal(new StoreReceipt(1, 1, 0), second);
        Assert.Equal(2, Given.Points(_store, "cpu").Length);
        Assert.Equal(new StoreCounters(2, 2, 0, 0, 0), _store.Counters());
    }

    [Fact]
    public void The_same_id_with_another_body_goes_to_the_dead_letters_and_leaves_the_first()
    {
        var receipt = _store.Write(Given.Transaction(
            Given.Batch(0, "web", "id", Given.Gauge("cpu", 1, 5)), Given.Batch(1, "web", "id", Given.Gauge("cpu", 2, 5))));

        Assert.Equal(new StoreReceipt(1, 0, 1), receipt);
        Assert.Equal([new SamplePoint(5, 1)], Given.Points(_store, "cpu"));
        Assert.Equal(2, Assert.Single(_store.Clients(10)).Acknowledged);
        Assert.Equal(["1|web|id|The batch id is in use by a batch of this client with another body."], DeadLetters());
    }

    [Fact]
    public void A_resend_counts_as_a_duplicate_of_its_client_and_stores_nothing()
    {
        _store.Write(Given.Transaction(Given.Resend(0, "web", "id")));

        Assert.Equal(new StoreCounters(0, 1, 0, 0, 0), _store.Counters());
        Assert.Equal(1, Assert.Single(_store.Clients(10)).Acknowledged);
        Assert.Empty(_store.Batches("web", null, 10)!);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{\"metrics\":3}")]
    [InlineData("{\"metrics\":[{\"name\":\"x\",\"type\":\"summary\",\"value\":1}]}")]
    [InlineData("{\"metrics\":[{\"name\":\"cpu\",\"type\":\"gauge\",\"value\":1},{\"name\":\"new\"}]}")]
    public void A_body_that_cannot_be_read_goes_to_the_dead_letters_whole_and_stops_nothing_behind_it(string body)
    {
        var receipt = _store.Write(Given.Transaction(Given.Batch(0, "web", "a", body), Given.Batch(1, "web", "b", Given.Gauge("ok", 1, 5))));

        Assert.Equal(new StoreReceipt(1, 0, 1), receipt);
        Assert.Equal("ok", Assert.Single(_store.Series(Given.Everything, TestContext.Current.CancellationToken)).Name);
        Assert.StartsWith("0|web|a|The body cannot be read: ", Assert.Single(DeadLetters()), StringComparison.Ordinal);
    }

    [Fact]
    public void A_record_of_an_unknown_version_goes_to_the_dead_letters_with_its_bytes()
    {
        var receipt = _store.Write(Given.Transaction(StoreRecord.Of(4, new byte[] { 99, 1, 2, 3 })));

        Assert.Equal(new StoreReceipt(0, 0, 1), receipt);
        Assert.Equal(5, _store.Position(Given.Source));
        Assert.Equal(["4|||The record is of a kind or version that this program does not know."], DeadLetters());
    }

    [Fact]
    public void A_transaction_written_again_changes_nothing_and_merged_with_later_records_adds_those_alone()
    {
        StoreRecord[] records = [Given.Batch(0, "web", "a", Given.Gauge("cpu", 1, 5)), Given.Resend(2, "web", "a")];
        var lost = new StoreTransaction(Given.Source, 3, 1, records);
        _store.Write(lost);
        var before = _store.Counters();

        Assert.Equal(default, _store.Write(lost));
        Assert.Equal(before, _store.Counters());

        var merged = new StoreTransaction(Given.Source, 6, 2, [.. records, Given.Batch(4, "web", "b", Given.Gauge("cpu", 2, 6)), Given.Resend(5, "web", "b")]);
        Assert.Equal(new StoreReceipt(1, 1, 0), _store.Write(merged));
        Assert.Equal(new StoreCounters(2, 2, 2, 0, 0), _store.Counters());
        Assert.Equal(6, _store.Position(Given.Source));
    }

    [Fact]
    public void A_read_that_found_only_damage_moves_the_position_and_counts_it()
    {
        _store.Write(new StoreTransaction(Given.Source, 10, 10, []));

        Assert.Equal(10, _store.Position(Given.Source));
        Assert.Equal(10, _store.Counters().Quarantined);
    }

    [Fact]
    public void Refusals_are_summed_by_client_and_one_without_a_client_only_in_total()
    {
        _store.AddRejected([new("web", 2, 50), new("", 3, 60)]);
        _store.AddRejected([new("web", 1, 40)]);

        Assert.Equal(6, _store.Counters().Rejected);
        Assert.Equal([new ClientCounters("web", 0, 3, 50)], _store.Clients(10));
    }

    [Fact]
    public void Samples_of_one_series_at_one_time_are_all_kept_in_the_order_they_came()
    {
        for (var i = 0; i < 5; i++)
            _store.Write(Given.Transaction(Given.Batch(i, "web", $"id-{i}", Given.Gauge("cpu", 10 - i, 5))));

        Assert.Equal([10, 9, 8, 7, 6], Given.Points(_store, "cpu").Select(point => point.Value));
    }

    [Fact]
    public void A_series_of_a_transaction_that_failed_is_not_remembered()
    {
        // The last record is beyond the transaction: found when the rows of the first are already inserted.
        var torn = new StoreTransaction(
            Given.Source, 1, 0, [Given.Batch(0, "web", "a", Given.Gauge("cpu", 1, 5)), Given.Batch(1, "web", "b", Given.Gauge("cpu", 2, 6))]);
        Assert.Throws<InvalidOperationException>(() => _store.Write(torn));
        Assert.Equal(0, _store.RememberedSeries);
        Assert.Equal(default, _store.Counters());
        // Takes the row ids that the failed transaction had used.
        _store.Write(Given.Transaction(Given.Batch(0, "api", "c", Given.Gauge("memory", 3, 7))));
        _store.Write(Given.Transaction(Given.Batch(1, "web", "a", Given.Gauge("cpu", 1, 5))));

        Assert.Equal([new SamplePoint(7, 3)], Given.Points(_store, "memory"));
        Assert.Equal([new SamplePoint(5, 1)], Given.Points(_store, "cpu"));
        Assert.Equal([("api", 1L), ("web", 1L)], _store.Clients(10).Select(client => (client.ClientId, client.Acknowledged)).Order());
    }

    [Fact]
    public void With_more_series_than_are_remembered_every_sample_finds_its_series()
    {
        using var folder = new StoreFolder();
        using var store = folder.Open(new StoreLimits { RememberedRows = 3 });
        for (var i = 0; i < 40; i++)
            store.Write(Given.Transaction(Given.Batch(i, $"client-{i % 7}", $"{i}", Given.Gauge($"m{i % 10}", i, i))));

        Assert.InRange(store.RememberedSeries, 0, 3);
        var series = store.Series(Given.Everything, TestContext.Current.CancellationToken);
        Assert.Equal(Enumerable.Range(0, 10).Select(i => ($"m{i}", 4L)), series.Select(one => (one.Name, one.Samples)));
        Assert.Equal(7, store.Clients(100).Count);
    }

    public void Dispose()
    {
        _store.Dispose();
        _folder.Dispose();
    }

    private List<string> DeadLetters()
    {
        using var database = Database.Open(_folder.File, write: false, TimeSpan.FromSeconds(1));
        var select = database.Prepare("SELECT position, client, batch_id, reason FROM dead_letters ORDER BY id");
        var letters = new List<string>();
        while (select.Step())
            letters.Add($"{select.Long(0)}|{select.Text(1)}|{select.Text(2)}|{select.Text(3)}");
        return letters;
    }
}
