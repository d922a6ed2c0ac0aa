using System.Runtime.InteropServices;

namespace EvenKeel.Kafka.Native;

/// <content>Topics and groups made, deleted and described on a real broker (the embedded one knows none of these requests).</content>
internal static unsafe partial class Librdkafka
{
    [LibraryImport(Library, EntryPoint = "rd_kafka_AdminOptions_new")]
    public static partial nint AdminOptionsNew(nint client, AdminOperation operation);

    [LibraryImport(Library, EntryPoint = "rd_kafka_AdminOptions_destroy")]
    public static partial void AdminOptionsDestroy(nint options);

    [LibraryImport(Library, EntryPoint = "rd_kafka_AdminOptions_set_request_timeout")]
    public static partial KafkaErrorCode AdminOptionsSetRequestTimeout(nint options, int timeoutMs, byte* errorText, nuint errorTextSize);

    [LibraryImport(Library, EntryPoint = "rd_kafka_AdminOptions_set_operation_timeout")]
    public static partial KafkaErrorCode AdminOptionsSetOperationTimeout(nint options, int timeoutMs, byte* errorText, nuint errorTextSize);

    [LibraryImport(Library, EntryPoint = "rd_kafka_NewTopic_new", StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint NewTopicNew(string topic, int partitions, int replication, byte* errorText, nuint errorTextSize);

    [LibraryImport(Library, EntryPoint = "rd_kafka_NewTopic_destroy")]
    public static partial void NewTopicDestroy(nint newTopic);

    [LibraryImport(Library, EntryPoint = "rd_kafka_NewTopic_set_config", StringMarshalling = StringMarshalling.Utf8)]
    public static partial KafkaErrorCode NewTopicSetConfig(nint newTopic, string name, string value);

    [LibraryImport(Library, EntryPoint = "rd_kafka_CreateTopics")]
    public static partial void CreateTopics(nint client, nint* newTopics, nuint count, nint options, nint queue);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_CreateTopics_result")]
    public static partial nint EventCreateTopicsResult(nint nativeEvent);

    [LibraryImport(Library, EntryPoint = "rd_kafka_CreateTopics_result_topics")]
    public static partial nint* CreateTopicsResultTopics(nint result, nuint* count);

    [LibraryImport(Library, EntryPoint = "rd_kafka_DeleteTopic_new", StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint DeleteTopicNew(string topic);

    [LibraryImport(Library, EntryPoint = "rd_kafka_DeleteTopic_destroy")]
    public static partial void DeleteTopicDestroy(nint deleteTopic);

    [LibraryImport(Library, EntryPoint = "rd_kafka_DeleteTopics")]
    public static partial void DeleteTopics(nint client, nint* deleteTopics, nuint count, nint options, nint queue);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_DeleteTopics_result")]
    public static partial nint EventDeleteTopicsResult(nint nativeEvent);

    [LibraryImport(Library, EntryPoint = "rd_kafka_DeleteTopics_result_topics")]
    public static partial nint* DeleteTopicsResultTopics(nint result, nuint* count);

    [LibraryImport(Library, EntryPoint = "rd_kafka_topic_result_error")]
    public static partial KafkaErrorCode TopicResultError(nint topicResult);

    [LibraryImport(Library, EntryPoint = "rd_kafka_topic_result_error_string")]
    public static partial byte* TopicResultErrorText(nint topicResult);

    [LibraryImport(Library, EntryPoint = "rd_kafka_TopicCollection_of_topic_names")]
    public static partial nint TopicCollectionOfNames(byte** topics, nuint count);

    [LibraryImport(Library, EntryPoint = "rd_kafka_TopicCollection_destroy")]
    public static partial void TopicCollectionDestroy(nint topics);

    [LibraryImport(Library, EntryPoint = "rd_kafka_DescribeTopics")]
    public static partial void DescribeTopics(nint client, nint topics, nint options, nint queue);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_DescribeTopics_result")]
    public static partial nint EventDescribeTopicsResult(nint nativeEvent);

    [LibraryImport(Library, EntryPoint = "rd_kafka_DescribeTopics_result_topics")]
    public static partial nint* DescribeTopicsResultTopics(nint result, nuint* count);

    [LibraryImport(Library, EntryPoint = "rd_kafka_TopicDescription_error")]
    public static partial nint TopicDescriptionError(nint description);

    [LibraryImport(Library, EntryPoint = "rd_kafka_TopicDescription_topic_id")]
    public static partial nint TopicDescriptionId(nint description);

    [LibraryImport(Library, EntryPoint = "rd_kafka_Uuid_base64str")]
    public static partial byte* UuidText(nint uuid);

    [LibraryImport(Library, EntryPoint = "rd_kafka_TopicDescription_partitions")]
    public static partial nint* TopicDescriptionPartitions(nint description, nuint* count);

    [LibraryImport(Library, EntryPoint = "rd_kafka_TopicPartitionInfo_replicas")]
    public static partial nint* PartitionReplicas(nint partition, nuint* count);

    [LibraryImport(Library, EntryPoint = "rd_kafka_TopicPartitionInfo_isr")]
    public static partial nint* PartitionInSyncReplicas(nint partition, nuint* count);

    [LibraryImport(Library, EntryPoint = "rd_kafka_ConfigResource_new", StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint ConfigResourceNew(int resourceType, string name);

    [LibraryImport(Library, EntryPoint = "rd_kafka_ConfigResource_destroy")]
    public static partial void ConfigResourceDestroy(nint resource);

    [LibraryImport(Library, EntryPoint = "rd_kafka_DescribeConfigs")]
    public static partial void DescribeConfigs(nint client, nint* resources, nuint count, nint options, nint queue);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_DescribeConfigs_result")]
    public static partial nint EventDescribeConfigsResult(nint nativeEvent);

    [LibraryImport(Library, EntryPoint = "rd_kafka_DescribeConfigs_result_resources")]
    public static partial nint* DescribeConfigsResultResources(nint result, nuint* count);

    [LibraryImport(Library, EntryPoint = "rd_kafka_ConfigResource_error")]
    public static partial KafkaErrorCode ConfigResourceError(nint resource);

    [LibraryImport(Library, EntryPoint = "rd_kafka_ConfigResource_error_string")]
    public static partial byte* ConfigResourceErrorText(nint resource);

    [LibraryImport(Library, EntryPoint = "rd_kafka_ConfigResource_configs")]
    public static partial nint* ConfigResourceConfigs(nint resource, nuint* count);

    [LibraryImport(Library, EntryPoint = "rd_kafka_ConfigEntry_name")]
    public static partial byte* ConfigEntryName(nint entry);

    [LibraryImport(Library, EntryPoint = "rd_kafka_ConfigEntry_value")]
    public static partial byte* ConfigEntryValue(nint entry);

    [LibraryImport(Library, EntryPoint = "rd_kafka_DeleteGroup_new", StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint DeleteGroupNew(string group);

    [LibraryImport(Library, EntryPoint = "rd_kafka_DeleteGroup_destroy")]
    public static partial void DeleteGroupDestroy(nint deleteGroup);

    [LibraryImport(Library, EntryPoint = "rd_kafka_DeleteGroups")]
    public static partial void DeleteGroups(nint client, nint* deleteGroups, nuint count, nint options, nint queue);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_DeleteGroups_result")]
    public static partial nint EventDeleteGroupsResult(nint nativeEvent);

    [LibraryImport(Library, EntryPoint = "rd_kafka_DeleteGroups_result_groups")]
    public static partial nint* DeleteGroupsResultGroups(nint result, nuint* count);

    [LibraryImport(Library, EntryPoint = "rd_kafka_group_result_error")]
    public static partial nint GroupResultError(nint groupResult);

    [LibraryImport(Library, EntryPoint = "rd_kafka_ListConsumerGroups")]
    public static partial void ListConsumerGroups(nint client, nint options, nint queue);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_ListConsumerGroups_result")]
    public static partial nint EventListConsumerGroupsResult(nint nativeEvent);

    [LibraryImport(Library, EntryPoint = "rd_kafka_ListConsumerGroups_result_valid")]
    public static partial nint* ListConsumerGroupsResultValid(nint result, nuint* count);

    [LibraryImport(Library, EntryPoint = "rd_kafka_ConsumerGroupListing_group_id")]
    public static partial byte* GroupListingId(nint listing);
}
