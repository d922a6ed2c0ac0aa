using House.Calls;
using House.Docs;
using House.Names;
using House.Projects;
using House.PublicApi;
using House.Sizes;
using House.Speech;
using House.TestHygiene;
using House.Types;

namespace House;

/// <summary>All rules of the house, and all plants that prove them.</summary>
internal static class HouseRules
{
    public static IReadOnlyList<Rule> All { get; } =
    [
        .. SizeRules.All, .. NameRules.All, .. BannedCalls.All, .. BannedConstructs.All, .. TypeRules.All, .. ProjectRules.All,
        .. DocRules.All, .. CodeBlockRules.All, .. SpeechRules.All, .. TestHygieneRules.All, .. PublicApiRules.All,
    ];

    public static IReadOnlyList<Plant> Plants { get; } =
    [
        .. SizePlants.All, .. NamePlants.All, .. CallPlants.All, .. ConstructPlants.All, .. TypePlants.All, .. ProjectPlants.All,
        .. DocPlants.All, .. CodeBlockPlants.All, .. SpeechPlants.All, .. TestHygienePlants.All, .. PublicApiPlants.All,
    ];
}
