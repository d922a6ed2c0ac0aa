using System.Runtime.InteropServices;
using System.Text;
using Confluent.Kafka;
using Xunit;

namespace Librdkafka.Redist.Tests;

/// <summary>The library that the build put beside this test: the one every project that references librdkafka.redist gets.</summary>
public sealed unsafe class LibraryTests : IDisposable
{
    private const string Version = "2.15.1";

    private static readonly string FileName =
        OperatingSystem.IsWindows() ? "librdkafka.dll" : OperatingSystem.IsMacOS() ? "librdkafka.dylib" : "librdkafka.so";

    private readonly nint _library = NativeLibrary.Load(Path.Combine(AppContext.BaseDirectory, FileName));

    public void Dispose() => NativeLibrary.Free(_library);

    [Fact]
    public void The_library_says_its_version_is_2_15_1()
    {
        var versionText = (delegate* unmanaged[Cdecl]<nint>)Export("rd_kafka_version_str");
        var version = (delegate* unmanaged[Cdecl]<int>)Export("rd_kafka_version");

        Assert.Equal(Version, Marshal.PtrToStringUTF8(versionText()));
        Assert.Equal(0x020f01ff, version());
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("snappy")]
    [InlineData("lz4")]
    [InlineData("ssl")]
    [InlineData("sasl")]
    [InlineData("sasl_plain")]
    [InlineData("sasl_scram")]
    [InlineData("sasl_oauthbearer")]
    public void The_library_is_built_with(string feature) => Assert.Contains(feature, BuiltinFeatures().Split(','));

    [Theory]
    [InlineData("enable.idempotence", "true")]
    [InlineData("transactional.id", "t")]
    [InlineData("security.protocol", "sasl_ssl")]
    [InlineData("sasl.mechanism", "SCRAM-SHA-512")]
    [InlineData("compression.codec", "gzip")]
    [InlineData("compression.codec", "snappy")]
    [InlineData("compression.codec", "lz4")]
    [InlineData("group.protocol", "consumer")]
    public void The_library_takes_the_setting(string name, string value)
    {
        var set = (delegate* unmanaged[Cdecl]<nint, byte*, byte*, byte*, nuint, int>)Export("rd_kafka_conf_set");
        var error = stackalloc byte[512];
        WithConfiguration(configuration =>
        {
            fixed (byte* namePointer = Encoding.UTF8.GetBytes(name + '\0'), valuePointer = Encoding.UTF8.GetBytes(value + '\0'))
            {
                var outcome = set(configuration, namePointer, valuePointer, error, 512);
                Assert.True(outcome == 0, $"{name}={value}: {Marshal.PtrToStringUTF8((nint)error)}");
            }
        });
    }

    [Theory]
    [InlineData("rd_kafka_purge")]
    [InlineData("rd_kafka_consumer_close_queue")]
    [InlineData("rd_kafka_topic_partition_get_leader_epoch")]
    [InlineData("rd_kafka_mock_cluster_new")]
    [InlineData("rd_kafka_mock_start_request_tracking")]
    public void The_library_exports(string function) => Assert.NotEqual(0, Export(function));

    [Fact]
    public void Confluent_Kafka_takes_the_same_version() => Assert.Equal(Version, Library.VersionString);

    private nint Export(string name) => NativeLibrary.GetExport(_library, name);

    private string BuiltinFeatures()
    {
        var get = (delegate* unmanaged[Cdecl]<nint, byte*, byte*, nuint*, int>)Export("rd_kafka_conf_get");
        var features = new byte[1024];
        nuint length = 1024;
        WithConfiguration(configuration =>
        {
            fixed (byte* name = "builtin.features\0"u8, value = features)
            {
                nuint written = 1024;
                Assert.Equal(0, get(configuration, name, value, &written));
                length = written;
            }
        });
        // The length counts the terminating zero.
        return Encoding.UTF8.GetString(features, 0, (int)length - 1);
    }

    private void WithConfiguration(Action<nint> use)
    {
        var create = (delegate* unmanaged[Cdecl]<nint>)Export("rd_kafka_conf_new");
        var destroy = (delegate* unmanaged[Cdecl]<nint, void>)Export("rd_kafka_conf_destroy");
        var configuration = create();
        try
        {
            use(configuration);
        }
        finally
        {
            destroy(configuration);
        }
    }
}
