using System.Diagnostics;

namespace EvenKeel.Kafka.Native;

/// <summary>
/// The settings of a client before it exists (<c>rd_kafka_conf_t</c>). Belongs to whoever made it until <see cref="CreationGate.Create"/>
/// takes it over; one thread at a time.
/// </summary>
internal sealed unsafe class ClientConfiguration : IDisposable
{
    private const int UnknownName = -2;
    private nint _conf;

    public ClientConfiguration() => _conf = Librdkafka.ConfNew();

    private ClientConfiguration(nint conf) => _conf = conf;

    private nint Conf
    {
        get
        {
            ObjectDisposedException.ThrowIf(_conf == 0, this);
            return _conf;
        }
    }

    /// <exception cref="KafkaException">The name is not known or the value not valid; with librdkafka's own text.</exception>
    public ClientConfiguration Set(string name, string value)
    {
        var text = stackalloc byte[NativeText.ErrorTextBytes];
        text[0] = 0;
        var outcome = Librdkafka.ConfSet(Conf, name, value, text, NativeText.ErrorTextBytes);
        if (outcome == 0)
            return this;
        throw new KafkaException(
            outcome == UnknownName ? KafkaErrorCode.NotFound : KafkaErrorCode.InvalidArgument,
            $"Setting '{name}' was refused by librdkafka: {NativeText.Read(text)}");
    }

    /// <returns>The value, or null if the setting has none or the name is not known.</returns>
    public string? Get(string name)
    {
        nuint size = 0;
        if (Librdkafka.ConfGet(Conf, name, null, &size) != 0)
            return null;
        var buffer = new byte[(int)size];
        fixed (byte* destination = buffer)
        {
            if (Librdkafka.ConfGet(Conf, name, destination, &size) != 0)
                return null;
        }
        return NativeText.Read(buffer);
    }

    /// <summary>Every setting that has a value, defaults included, passwords in the clear: never log it whole.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Dump()
    {
        nuint count;
        var pairs = Librdkafka.ConfDump(Conf, &count);
        try
        {
            var settings = new KeyValuePair<string, string>[(int)count / 2];
            for (var i = 0; i < settings.Length; i++)
                settings[i] = new(NativeText.Read(pairs[2 * i]), NativeText.Read(pairs[2 * i + 1]));
            return settings;
        }
        finally
        {
            Librdkafka.ConfDumpFree(pairs, count);
        }
    }

    /// <summary>What comes to queues as events.</summary>
    public ClientConfiguration SetEvents(EventKinds kinds)
    {
        Librdkafka.ConfSetEvents(Conf, kinds);
        return this;
    }

    public ClientConfiguration Copy() => new(Librdkafka.ConfDup(Conf));

    public void Dispose()
    {
        if (_conf == 0)
            return;
        Librdkafka.ConfDestroy(_conf);
        _conf = 0;
    }

    /// <summary>Makes the client; on success librdkafka owns the settings, on failure they stay here.</summary>
    internal nint CreateClient(ClientKind kind)
    {
        var text = stackalloc byte[NativeText.ErrorTextBytes];
        text[0] = 0;
        var client = Librdkafka.New(kind, Conf, text, NativeText.ErrorTextBytes);
        if (client == 0)
        {
            var code = Librdkafka.LastError();
            throw new KafkaException(code, $"librdkafka refused to create a {kind}: {NativeText.Read(text)} ({code.Describe()})");
        }
        Debug.Assert(_conf != 0, "librdkafka took settings that were not there");
        _conf = 0;
        return client;
    }
}
