namespace EvenKeel.Kafka.Producing;

/// <summary>A record that is on its way; its number comes back in librdkafka's report.</summary>
internal struct SendSlot
{
    // Written under the backlog's gate when the record is queued.
    public PendingSend? Send;
    public string Topic;
    public long Sequence;
    public int Bytes;

    // Send loop only, until the record is handed to librdkafka; then whoever takes its report.
    public int Resends;
    public bool IsInFlight;

    // Counts the records that had this slot: a report with another generation is a second one.
    public int Generation;

    // Written under the gate when the record is queued, read there when it ends.
    public byte Era;
}
