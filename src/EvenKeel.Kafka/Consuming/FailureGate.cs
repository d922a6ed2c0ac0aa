namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// The gate before the dead letters: it closes when the handler fails for one record after another, since then the fault is the handler's,
/// and the whole topic would go through. It opens with the next success. Any thread.
/// </summary>
internal sealed class FailureGate(int pauseAfter, NoticeBoard<ConsumerNotice> notices)
{
    // Records given up since the last success; above the limit the gate is closed.
    private int _inARow;

    public bool IsClosed => Volatile.Read(ref _inARow) > pauseAfter;

    public void Succeeded()
    {
        // Read first: on the usual path nobody writes, and lanes share the line.
        if (Volatile.Read(ref _inARow) == 0 || Interlocked.Exchange(ref _inARow, 0) <= pauseAfter)
            return;
        notices.Tell(new ConsumerNotice(
            ConsumerNoticeKind.Resumed, "A handler succeeded: records that fail go to the dead letters again."));
    }

    /// <summary>Whether a record whose tries are used up goes to the dead letters. False: try on.</summary>
    public bool MayGiveUp()
    {
        if (IsClosed)
            return false;
        var inARow = Interlocked.Increment(ref _inARow);
        if (inARow <= pauseAfter)
            return true;
        if (inARow == pauseAfter + 1)
        {
            notices.Tell(new ConsumerNotice(
                ConsumerNoticeKind.Paused,
                $"The handler failed for more than {pauseAfter} records in a row (Failures.DeadLetters.PauseAfter). The fault is likely "
                + "not the records': no more dead letters; the records in hand are tried until one succeeds."));
        }
        return false;
    }
}
