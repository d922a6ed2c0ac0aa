namespace MetricStream.Streaming;

/// <summary>
/// Brings subscribers that came back with an id up to the live position, ten frames a second at most, and hands them to the live lane.
/// Nothing is dropped here: one that has no room for its frame is put off and gets it from a later replay. One thread uses it.
/// </summary>
internal sealed class StreamReplay(StreamHub hub, StreamLane lane, StreamOptions options) : IDisposable
{
    // The live lane moves ten times a second; the last few records before it take a fraction of that.
    private const int HandOverTries = 5;

    /// <summary>Until everybody is handed over, put off or gone, or <paramref name="stopping"/> is set.</summary>
    public void Run(ManualResetEventSlim stopping)
    {
        while (!stopping.IsSet && TryStep())
            stopping.Wait(options.FrameEvery);
        Dispose();
    }

    /// <summary>One frame for each. False: this replay is over.</summary>
    public bool TryStep()
    {
        try
        {
            for (var tries = 0; tries < HandOverTries; tries++)
            {
                if (Step() is { } goesOn)
                    return goesOn;
            }

            return true;
        }
        catch (Exception failure)
        {
            // They come back by themselves, with the id of what they had.
            hub.Failed(failure);
            foreach (var subscriber in lane.Subscribers)
                subscriber.End();
            Dispose();
            return false;
        }
    }

    public void Dispose() => lane.Dispose();

    /// <summary>Null: the live lane was within reach and has just moved on.</summary>
    private bool? Step()
    {
        lane.Remove(subscriber => subscriber.IsOver);
        if (lane.IsEmpty || hub.LivePlace is not { } live)
            return End();
        var before = lane.Place;
        lane.Advance(live);
        var putOff = new HashSet<Subscriber>();
        lane.Deliver((_, subscriber) => putOff.Add(subscriber), pace: static () => { });
        foreach (var subscriber in putOff)
            subscriber.From = StreamPlace.Later(subscriber.From, before);
        lane.Remove(putOff.Contains);
        hub.PutOff(putOff);
        if (lane.Place.IsBefore(live))
            return true;
        return hub.TryHandOver(lane) ? End() : null;
    }

    private bool End()
    {
        Dispose();
        return false;
    }
}
