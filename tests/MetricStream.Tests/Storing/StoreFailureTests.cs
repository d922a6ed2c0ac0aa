using MetricStream.Storing;
using Xunit;

namespace MetricStream.Tests.Storing;

public sealed class StoreFailureTests : IDisposable
{
    private static readonly StoreLimits Impatient = new() { BusyWait = TimeSpan.FromMilliseconds(20) };

    private readonly StoreFolder _folder = new();

    [Fact]
    public void A_store_locked_by_another_program_refuses_the_write_and_takes_it_when_the_lock_is_gone()
    {
        using var store = _folder.Open(Impatient);
        using var other = Database.Open(_folder.File, write: true, TimeSpan.FromSeconds(1));
        var transaction = Given.Transaction(Given.Batch(0, "web", "a", Given.Gauge("cpu", 1, 5)));
        other.Execute("BEGIN IMMEDIATE");

        var refused = Assert.Throws<StoreUnavailableException>(() => store.Write(transaction));
        Assert.Contains("locked by another program", refused.Message, StringComparison.Ordinal);
        Assert.Contains(_folder.File, refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, store.Position(Given.Source));

        other.Execute("ROLLBACK");
        Assert.Equal(new StoreReceipt(1, 0, 0), store.Write(transaction));
    }

    [Fact]
    public void A_store_without_room_refuses_the_write_whole_and_takes_it_after_expiry_made_room()
    {
        using var store = _folder.Open(new StoreLimits { FileBytes = 400_000 });
        var padding = new string('x', 2000);
        StoreUnavailableException? refused = null;
        var stored = 0;
        for (; refused is null && stored < 1000; stored++)
        {
            var before = store.Counters();
            try
            {
                store.Write(Numbered(stored));
            }
            catch (StoreUnavailableException full)
            {
                refused = full;
                Assert.Equal(before, store.Counters());
                Assert.Equal(stored, store.Position(Given.Source));
                break;
            }
        }

        Assert.NotNull(refused);
        Assert.Contains("the disk (or its quota) is full", refused.Message, StringComparison.Ordinal);
        Assert.InRange(stored, 10, 200);
        while (store.Expire(long.MinValue, 1001, 50).More)
        {
        }

        Assert.Equal(new StoreReceipt(1, 0, 0), store.Write(Numbered(stored)));
        var series = store.Series(Given.Everything, TestContext.Current.CancellationToken);
        Assert.Equal(stored + 1, series.Count);
        Assert.All(series, one => Assert.Equal(1, one.Samples));

        // Every transaction brings a series of its own: those of the refused one must not be remembered.
        StoreTransaction Numbered(int i) => Given.Transaction(Given.Batch(
            i, "web", $"{i}", Given.Gauge($"series-{i}", i, i).Replace("]}", $"],\"note\":\"{padding}\"}}", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_file_deleted_under_the_store_is_noticed_before_anything_is_promised_and_used_again_once_it_is_back()
    {
        using var store = _folder.Open();
        store.Write(Given.Transaction(Given.Batch(0, "web", "a", Given.Gauge("cpu", 1, 5))));
        var next = Given.Transaction(Given.Batch(1, "web", "b", Given.Gauge("cpu", 2, 6)));
        File.Move(_folder.File, _folder.File + ".away");

        var refused = Assert.Throws<StoreUnavailableException>(() => store.Write(next));
        Assert.Contains("was deleted or moved while in use", refused.Message, StringComparison.Ordinal);

        File.Move(_folder.File + ".away", _folder.File);
        Assert.Equal(new StoreReceipt(1, 0, 0), store.Write(next));
    }

    [Fact]
    public void A_power_cut_in_the_middle_of_a_transaction_leaves_the_one_before_it()
    {
        using var store = _folder.Open();
        store.Write(Given.Transaction(Given.Batch(0, "web", "a", Given.Gauge("cpu", 1, 5))));
        SqliteMetricStore? copy = null;
        var records = new InterruptedRecords(
            [Given.Batch(1, "web", "b", Given.Gauge("cpu", 2, 6)), Given.Batch(2, "web", "c", Given.Gauge("cpu", 3, 7))],
            before: 1,
            () => copy = _folder.OpenCopy("copy.db"));
        store.Write(new StoreTransaction(Given.Source, 3, 0, records));

        using (copy)
        {
            Assert.NotNull(copy);
            Assert.Equal(1, copy.Position(Given.Source));
            Assert.Equal([new SamplePoint(5, 1)], Given.Points(copy, "cpu"));
            Assert.Equal(new StoreReceipt(2, 0, 0), copy.Write(new StoreTransaction(Given.Source, 3, 0, records)));
        }

        Assert.Equal(3, Given.Points(store, "cpu").Length);
    }

    [Fact]
    public void An_empty_file_becomes_a_store()
    {
        File.WriteAllBytes(_folder.File, []);
        using var store = _folder.Open();
        Assert.Equal(default, store.Counters());
    }

    [Fact]
    public void A_store_of_a_newer_format_is_refused_and_left_as_it_is()
    {
        _folder.Open().Dispose();
        using (var database = Database.Open(_folder.File, write: true, TimeSpan.Zero))
            database.Execute($"PRAGMA user_version={StoreFile.Version + 1}");

        var refused = Assert.Throws<StoreOpenException>(() => _folder.Open());
        Assert.Contains($"{_folder.File} has format {StoreFile.Version + 1}", refused.Message, StringComparison.Ordinal);
        using var after = Database.Open(_folder.File, write: true, TimeSpan.Zero);
        Assert.Equal(StoreFile.Version + 1, after.Scalar("PRAGMA user_version"));
    }

    [Fact]
    public void A_file_of_another_program_is_refused_and_left_as_it_is()
    {
        using (var database = Database.Open(_folder.File, write: true, TimeSpan.Zero))
            database.Execute("CREATE TABLE theirs(x)");

        Assert.Contains("another program", Assert.Throws<StoreOpenException>(() => _folder.Open()).Message, StringComparison.Ordinal);
        using var after = Database.Open(_folder.File, write: false, TimeSpan.Zero);
        Assert.Equal(1, after.Scalar("SELECT count(*) FROM sqlite_schema"));
    }

    [Fact]
    public void A_file_that_is_no_database_is_refused_with_its_name_and_the_fix()
    {
        File.WriteAllText(_folder.File, string.Concat(Enumerable.Repeat("this is no database ", 500)));
        var refused = Assert.Throws<StoreOpenException>(() => _folder.Open());
        Assert.Contains($"{_folder.File} is damaged or no SQLite file; move it away", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_store_whose_tables_were_changed_is_refused()
    {
        _folder.Open().Dispose();
        using (var database = Database.Open(_folder.File, write: true, TimeSpan.Zero))
            database.Execute("DROP TABLE dead_letters");

        Assert.Contains("no such table", Assert.Throws<StoreOpenException>(() => _folder.Open()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_in_the_place_of_the_file_and_a_missing_folder_are_refused()
    {
        Directory.CreateDirectory(_folder.File);
        Assert.Contains("is a folder", Assert.Throws<StoreOpenException>(() => _folder.Open()).Message, StringComparison.Ordinal);
        var nowhere = Path.Combine(_folder.Path, "missing", "store.db");
        var refused = Assert.Throws<StoreOpenException>(() => SqliteMetricStore.Open(nowhere));
        Assert.Contains("exists and is writable", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_without_write_access_is_refused()
    {
        Assert.SkipWhen(Environment.UserName == "root", "root may write anywhere");
        _folder.Open().Dispose();
        File.SetAttributes(_folder.File, FileAttributes.ReadOnly);
        Assert.Contains("not writable", Assert.Throws<StoreOpenException>(() => _folder.Open()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_closed_store_refuses_calls()
    {
        var store = _folder.Open();
        store.Dispose();
        store.Dispose();
        Assert.Throws<ObjectDisposedException>(() => store.Counters());
        Assert.Throws<ObjectDisposedException>(() => store.Write(Given.Transaction()));
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Records that run something before one of them is handed out: in the middle of the store's transaction.</summary>
    private sealed class InterruptedRecords(StoreRecord[] records, int before, Action interrupt) : IReadOnlyList<StoreRecord>
    {
        private bool _done;

        public int Count => records.Length;

        public StoreRecord this[int index] => records[index];

        public IEnumerator<StoreRecord> GetEnumerator()
        {
            for (var i = 0; i < records.Length; i++)
            {
                if (i == before && !_done)
                {
                    _done = true;
                    interrupt();
                }

                yield return records[i];
            }
        }

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
