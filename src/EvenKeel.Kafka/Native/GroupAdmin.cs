namespace EvenKeel.Kafka.Native;

/// <summary>Requests about groups to a real broker, over any client; each waits on a thread of the pool, to its deadline.</summary>
internal static unsafe class GroupAdmin
{
    /// <summary>Deletes a group with its positions.</summary>
    /// <exception cref="KafkaException">It is not there, has members, or the broker refuses or does not answer.</exception>
    public static Task DeleteAsync(ClientHandle client, string group, TimeSpan wait, CancellationToken cancellation) =>
        Task.Run(() => Delete(client, group, wait, cancellation), cancellation);

    /// <summary>The names of all groups, those without members too.</summary>
    public static Task<string[]> ListAsync(ClientHandle client, TimeSpan wait, CancellationToken cancellation) =>
        Task.Run(() => List(client, wait, cancellation), cancellation);

    private static void Delete(ClientHandle client, string group, TimeSpan wait, CancellationToken cancellation)
    {
        var doing = $"Deleting group '{group}'";
        var deleteGroup = Librdkafka.DeleteGroupNew(group);
        try
        {
            AdminRequest.Ask(client, AdminOperation.DeleteGroups, doing, wait,
                (native, options, queue) => { var one = deleteGroup; Librdkafka.DeleteGroups(native, &one, 1, options, queue); },
                answer =>
                {
                    nuint count;
                    var results = Librdkafka.DeleteGroupsResultGroups(Librdkafka.EventDeleteGroupsResult(answer), &count);
                    for (nuint i = 0; i < count; i++)
                    {
                        // The error is the answer's, and goes with it.
                        if (Librdkafka.GroupResultError(results[i]) is not 0 and var error)
                            throw NativeErrors.Read(error, doing);
                    }
                    return true;
                },
                cancellation);
        }
        finally
        {
            Librdkafka.DeleteGroupDestroy(deleteGroup);
        }
    }

    private static string[] List(ClientHandle client, TimeSpan wait, CancellationToken cancellation) =>
        AdminRequest.Ask(client, AdminOperation.ListConsumerGroups, "Listing groups", wait,
            (native, options, queue) => Librdkafka.ListConsumerGroups(native, options, queue),
            answer =>
            {
                nuint count;
                var listed = Librdkafka.ListConsumerGroupsResultValid(Librdkafka.EventListConsumerGroupsResult(answer), &count);
                var names = new string[count];
                for (nuint i = 0; i < count; i++)
                    names[i] = NativeText.Read(Librdkafka.GroupListingId(listed[i]));
                return names;
            },
            cancellation);
}
