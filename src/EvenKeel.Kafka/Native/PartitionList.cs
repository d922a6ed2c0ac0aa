namespace EvenKeel.Kafka.Native;

/// <summary>
/// A list of partitions in native memory, for calls of the consumer. Dispose of it before its client is closed: entries that a call filled
/// in refer to objects of the client.
/// </summary>
internal sealed unsafe class PartitionList : IDisposable
{
    private NativePartitionList* _list;

    public PartitionList(int capacity = 4) => _list = Librdkafka.PartitionListNew(capacity);

    /// <summary>Takes over a list that librdkafka handed out.</summary>
    internal PartitionList(NativePartitionList* list) => _list = list;

    public NativePartitionList* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(_list is null, this);
            return _list;
        }
    }

    public int Count => Pointer->Count;

    public ref NativePartition this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            return ref Pointer->Elements[index];
        }
    }

    public PartitionList Add(string topic, int partition = SpecialOffset.AnyPartition, long offset = SpecialOffset.Invalid)
    {
        Librdkafka.PartitionListAdd(Pointer, topic, partition)->Offset = offset;
        return this;
    }

    public string Topic(int index) => NativeText.Read(this[index].Topic);

    /// <summary>The epoch of the leader that gave the entry's offset, -1 for none: a commit with it tells a cut log from a
    /// whole one.</summary>
    public int GetLeaderEpoch(int index)
    {
        fixed (NativePartition* partition = &this[index])
            return Librdkafka.PartitionGetLeaderEpoch(partition);
    }

    public void SetLeaderEpoch(int index, int epoch)
    {
        fixed (NativePartition* partition = &this[index])
            Librdkafka.PartitionSetLeaderEpoch(partition, epoch);
    }

    public void Dispose()
    {
        if (_list is null)
            return;
        Librdkafka.PartitionListDestroy(_list);
        _list = null;
    }
}
