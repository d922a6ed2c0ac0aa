using Xunit;

namespace Librdkafka.Redist.Tests;

/// <summary>What the script says where it cannot build: one message that names everything missing and the command to install it.</summary>
public sealed class MissingToolTests : IDisposable
{
    private readonly ScriptBench _bench;

    public MissingToolTests()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "librdkafka is not built from source on Windows.");
        _bench = new ScriptBench();
        // A test that got past the checks by mistake must not fetch anything.
        _bench.ReplaceTool("npm", "echo 'npm was called'; exit 1");
    }

    public void Dispose() => _bench.Dispose();

    [Theory]
    [InlineData("npm", "missing: npm.", "apt-get install npm", "dnf install nodejs-npm", "brew install node")]
    [InlineData("cc", "missing: a C compiler (cc).", "apt-get install gcc", "dnf install gcc", "xcode-select --install")]
    [InlineData("make", "missing: make.", "apt-get install make", "dnf install make", "xcode-select --install")]
    [InlineData("strip", "missing: strip.", "apt-get install binutils", "dnf install binutils", "xcode-select --install")]
    [InlineData("tar", "missing: tar.", "apt-get install tar", "dnf install tar", "brew install gnu-tar")]
    public async Task Without_a_tool_the_error_names_it_and_the_command_to_install_it(
        string tool, string named, string debian, string fedora, string mac)
    {
        _bench.RemoveTool(tool);

        var end = await _bench.Build();

        AssertRefused(end, named, debian, fedora, mac);
    }

    [Fact]
    public async Task Several_missing_tools_are_one_error_and_one_command()
    {
        _bench.RemoveTool("npm");
        _bench.RemoveTool("make");

        var end = await _bench.Build();

        AssertRefused(end, "missing: npm, make.", "sudo apt-get install npm make\n", "sudo dnf install nodejs-npm make\n");
    }

    [Fact]
    public async Task Missing_headers_are_named_with_the_packages_that_have_them()
    {
        _bench.Environment["CPPFLAGS"] = "-nostdinc";

        var end = await _bench.Build();

        AssertRefused(end, "zlib headers (zlib.h)", "OpenSSL headers (openssl/ssl.h)",
            "apt-get install libc6-dev zlib1g-dev libssl-dev\n", "dnf install glibc-devel zlib-devel openssl-devel\n");
    }

    [Fact]
    public async Task Missing_OpenSSL_headers_alone_are_named_alone()
    {
        _bench.WriteFile("include/stdlib.h", "");
        _bench.WriteFile("include/zlib.h", "");
        _bench.Environment["CPPFLAGS"] = $"-nostdinc -isystem {_bench.PathOf("include")}";

        var end = await _bench.Build();

        AssertRefused(end, "missing: OpenSSL headers (openssl/ssl.h).", "apt-get install libssl-dev\n", "brew install openssl@3");
    }

    [Fact]
    public async Task A_compiler_named_by_CC_that_is_not_there_is_named()
    {
        _bench.Environment["CC"] = "no-such-cc -m64";

        var end = await _bench.Build();

        AssertRefused(end, "a C compiler (no-such-cc -m64)");
    }

    [Fact]
    public async Task The_packages_that_are_missing_are_listed_for_apt()
    {
        _bench.RemoveTool("make");
        _bench.Environment["CPPFLAGS"] = "-nostdinc";

        var end = await _bench.Run("missing");

        Assert.Equal(new ScriptEnd(0, "make libc6-dev zlib1g-dev libssl-dev\n", ""), end);
    }

    [Fact]
    public async Task Wrong_arguments_are_answered_with_the_usage()
    {
        var end = await _bench.Run("build", _bench.Cache);

        AssertRefused(end, "usage:", "cached|build CACHE PLATFORM");
    }

    private void AssertRefused(ScriptEnd end, params string[] fragments)
    {
        Assert.Equal(1, end.ExitCode);
        Assert.Equal("", end.Output);
        Assert.All(fragments, fragment => Assert.Contains(fragment, end.Error, StringComparison.Ordinal));
        Assert.False(Directory.Exists(_bench.Cache), "a build that cannot start made its cache folder");
    }
}
