using System.Runtime.InteropServices;
using System.Text;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Settings;
using Xunit;

namespace EvenKeel.Kafka.Tests.Settings;

public sealed partial class PropertyCatalogueTests
{
    [Fact]
    public void The_catalogue_is_what_librdkafka_prints_of_itself()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The listing is written to a C stream, made here with Linux's open_memstream.");

        var printed = Listing().Split('\n')
            .Select(line => line.Split('|'))
            .Where(columns => columns.Length >= 6 && !columns[0].StartsWith("Property", StringComparison.Ordinal) && !columns[0].StartsWith("---", StringComparison.Ordinal))
            .Where(columns => !string.Concat(columns).Contains("see dedicated API", StringComparison.Ordinal))
            .Select(columns => (Name: columns[0].Trim(), Scope: columns[1].Trim() switch
            {
                "P" => PropertyScope.Producer,
                "C" => PropertyScope.Consumer,
                _ => PropertyScope.Any,
            }))
            .Distinct().OrderBy(property => property.Name, StringComparer.Ordinal).ToList();

        Assert.True(printed.Count > 150, $"only {printed.Count} properties were printed");
        Assert.Equal(
            printed,
            PropertyCatalogue.Names.Order(StringComparer.Ordinal).Select(name => (name, PropertyCatalogue.ScopeOf(name))).ToList());
    }

    [Fact]
    public void Names_that_are_one_set_the_same_value_in_librdkafka()
    {
        var aliases = PropertyCatalogue.Names.Where(name => PropertyCatalogue.Canonical(name) != name).ToList();

        Assert.Equal(11, aliases.Count);
        foreach (var alias in aliases)
        {
            using var configuration = new ClientConfiguration();
            var canonical = PropertyCatalogue.Canonical(alias);
            var value = configuration.Get(canonical) is { Length: > 0 } number && int.TryParse(number, out var known) ? $"{known - 1}" : Word(alias);
            try
            {
                Assert.Equal(value, configuration.Set(alias, value).Get(canonical));
            }
            catch (KafkaException refused)
            {
                // A build without OAuth refuses the property under its other name.
                Assert.Contains($"\"{canonical}\" not supported in this build", refused.Message, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("linger.msec", "linger.ms")]
    [InlineData("lingerms", "linger.ms")]
    [InlineData("SASL_USERNAME", "sasl.username")]
    [InlineData("bootstrap.server", "bootstrap.servers")]
    [InlineData("sessoin.timeout.ms", "session.timeout.ms")]
    [InlineData("completely.different", null)]
    public void The_nearest_name_is_the_one_that_was_meant(string typed, string? meant) =>
        Assert.Equal(meant, NearestName.Find(typed, PropertyCatalogue.Names));

    [Theory]
    [InlineData("", "", 0)]
    [InlineData("abc", "", 3)]
    [InlineData("abc", "acb", 1)]
    [InlineData("abc", "abd", 1)]
    [InlineData("kitten", "sitting", 3)]
    public void The_distance_counts_single_mistakes(string one, string other, int mistakes) =>
        Assert.Equal((mistakes, mistakes), (NearestName.Distance(one, other), NearestName.Distance(other, one)));

    private static string Word(string name) => name switch
    {
        "compression.codec" => "lz4",
        "request.required.acks" => "1",
        "delivery.timeout.ms" => "1234",
        _ => "word",
    };

    private static unsafe string Listing()
    {
        // The binding's own resolver finds the library.
        using var loaded = new ClientConfiguration();
        var library = NativeLibrary.Load("librdkafka", typeof(ClientConfiguration).Assembly, null);
        var show = (delegate* unmanaged<nint, void>)NativeLibrary.GetExport(library, "rd_kafka_conf_properties_show");
        nint text;
        nuint size;
        var stream = OpenMemoryStream(&text, &size);
        show(stream);
        Assert.Equal(0, Close(stream));
        var listing = Encoding.UTF8.GetString((byte*)text, (int)size);
        NativeMemory.Free((void*)text);
        return listing;
    }

    [LibraryImport("libc", EntryPoint = "open_memstream")]
    private static unsafe partial nint OpenMemoryStream(nint* text, nuint* size);

    [LibraryImport("libc", EntryPoint = "fclose")]
    private static partial int Close(nint stream);
}
