using MetricStream.Serving;
using Xunit;

namespace MetricStream.Tests.Serving;

public sealed class DirectoryTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("metricstream-data-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_new_directory_is_made_and_says_its_format()
    {
        var path = Path.Combine(_folder, "a", "b");

        using (DataDirectory.Open(path))
            Assert.Contains("\"version\":1", File.ReadAllText(Path.Combine(path, "format.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_second_server_is_refused_and_told_what_to_do()
    {
        using var first = DataDirectory.Open(_folder);

        var refused = Assert.Throws<StartRefusedException>(() => DataDirectory.Open(_folder));

        Assert.Contains("locked", refused.Message, StringComparison.Ordinal);
        Assert.Contains("--data", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_closed_directory_opens_again()
    {
        DataDirectory.Open(_folder).Dispose();

        DataDirectory.Open(_folder).Dispose();
    }

    [Fact]
    public void A_newer_format_is_refused_and_left_as_it_is()
    {
        const string newer = """{"format":"metricstream","version":2}""";
        var file = Path.Combine(_folder, "format.json");
        File.WriteAllText(file, newer);

        var refused = Assert.Throws<StartRefusedException>(() => DataDirectory.Open(_folder));

        Assert.Contains("version 2", refused.Message, StringComparison.Ordinal);
        Assert.Equal(newer, File.ReadAllText(file));
    }

    [Theory]
    [InlineData("", "cannot be understood")]
    [InlineData("[]", "cannot be understood")]
    [InlineData("{}", "cannot be understood")]
    [InlineData("""{"format":"metricstream","version":"one"}""", "cannot be understood")]
    [InlineData("""{"format":"metricstream","version":0}""", "never was")]
    [InlineData("""{"format":"metricstream","version":-1}""", "never was")]
    [InlineData("""{"format":"other","version":1}""", "belongs to another program")]
    public void A_format_that_says_nothing_sound_is_refused(string content, string reason)
    {
        File.WriteAllText(Path.Combine(_folder, "format.json"), content);

        var refused = Assert.Throws<StartRefusedException>(() => DataDirectory.Open(_folder));

        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_in_place_of_the_directory_is_refused()
    {
        var file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");

        var refused = Assert.Throws<StartRefusedException>(() => DataDirectory.Open(file));

        Assert.Contains("cannot be made", refused.Message, StringComparison.Ordinal);
    }
}
