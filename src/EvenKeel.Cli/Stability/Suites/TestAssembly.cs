using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace EvenKeel.Cli.Stability.Suites;

/// <summary>The framework that a test assembly is written for.</summary>
internal enum TestFramework
{
    None,
    XunitV3,
    XunitV2,
    NUnit,
    MSTest,
}

/// <summary>A test assembly is one built dll with tests in it, and what it is run by.</summary>
internal sealed record TestAssembly(string Path, TestFramework Framework, string? Project)
{
    public string Name => System.IO.Path.GetFileNameWithoutExtension(Path);

    public string Folder => System.IO.Path.GetDirectoryName(Path)!;

    public string Executable =>
        System.IO.Path.Combine(Folder, OperatingSystem.IsWindows() ? Name + ".exe" : Name);

    /// <summary>Recognises the framework by what the assembly refers to, without loading it.</summary>
    public static TestFramework Recognise(string path)
    {
        using var stream = File.OpenRead(path);
        using var image = new PEReader(stream);
        if (!image.HasMetadata)
            return TestFramework.None;
        var metadata = image.GetMetadataReader();
        var references = metadata.AssemblyReferences
            .Select(handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name))
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        if (references.Contains("xunit.v3.core") || references.Contains("xunit.v3.common"))
            return TestFramework.XunitV3;
        if (references.Contains("xunit.core"))
            return TestFramework.XunitV2;
        if (references.Contains("nunit.framework"))
            return TestFramework.NUnit;
        return references.Contains("MSTest.TestFramework") || references.Contains("Microsoft.VisualStudio.TestPlatform.TestFramework")
            ? TestFramework.MSTest
            : TestFramework.None;
    }
}
