namespace EvenKeel.Kafka;

/// <summary>Tells notices to the user's handlers, on the thread pool, a bounded number at a time; one that throws is counted.</summary>
/// <typeparam name="TNotice">What is told.</typeparam>
internal class NoticeBoard<TNotice>(object sender)
    where TNotice : class
{
    private const int MaxUnderway = 1024;
    private int _underway;
    private long _dropped;
    private long _thrown;

    public event EventHandler<TNotice>? Noticed;

    public long Dropped => Interlocked.Read(ref _dropped);

    public long Thrown => Interlocked.Read(ref _thrown);

    public void Tell(TNotice notice)
    {
        if (Noticed is null)
            return;
        if (Interlocked.Increment(ref _underway) > MaxUnderway)
        {
            Interlocked.Decrement(ref _underway);
            Interlocked.Increment(ref _dropped);
            return;
        }
        ThreadPool.UnsafeQueueUserWorkItem(
            static work => work.Board.Deliver(work.Notice), (Board: this, Notice: notice), preferLocal: false);
    }

    protected void CountThrown() => Interlocked.Increment(ref _thrown);

    private void Deliver(TNotice notice)
    {
        try
        {
            Noticed?.Invoke(sender, notice);
        }
#pragma warning disable CA1031 // User code: counted, and not told again, or a handler that always throws would be called for ever.
        catch (Exception)
        {
            Interlocked.Increment(ref _thrown);
        }
#pragma warning restore CA1031
        finally
        {
            Interlocked.Decrement(ref _underway);
        }
    }
}
