namespace EvenKeel.Kafka.Native;

/// <summary>A partition: its leader (-1: none), its replicas and those in sync.</summary>
internal sealed record PartitionMetadata(int Id, int Leader, int Replicas, int InSync, KafkaErrorCode Error);

/// <summary>A topic and its partitions; an unknown topic has an error and none.</summary>
internal sealed record TopicMetadata(string Name, KafkaErrorCode Error, IReadOnlyList<PartitionMetadata> Partitions);

/// <summary>A broker's id and address.</summary>
internal sealed record BrokerMetadata(int Id, string Host, int Port);

/// <summary>The cluster as one broker described it at one moment.</summary>
internal sealed record ClusterMetadata(IReadOnlyList<BrokerMetadata> Brokers, IReadOnlyList<TopicMetadata> Topics)
{
    internal static unsafe ClusterMetadata From(NativeMetadata* native)
    {
        var brokers = new BrokerMetadata[native->BrokerCount];
        for (var i = 0; i < brokers.Length; i++)
        {
            ref var broker = ref native->Brokers[i];
            brokers[i] = new BrokerMetadata(broker.Id, NativeText.Read(broker.Host), broker.Port);
        }
        var topics = new TopicMetadata[native->TopicCount];
        for (var i = 0; i < topics.Length; i++)
        {
            ref var topic = ref native->Topics[i];
            var partitions = new PartitionMetadata[topic.PartitionCount];
            for (var p = 0; p < partitions.Length; p++)
            {
                ref var partition = ref topic.Partitions[p];
                partitions[p] = new PartitionMetadata(
                    partition.Id, partition.Leader, partition.ReplicaCount, partition.InSyncCount, partition.Error);
            }
            topics[i] = new TopicMetadata(NativeText.Read(topic.Name), topic.Error, partitions);
        }
        return new ClusterMetadata(brokers, topics);
    }
}
